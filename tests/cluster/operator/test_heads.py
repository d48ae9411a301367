"""A head that was signed is published, whatever comes between; and one that would cover up a change is not signed."""

import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.installation import API, Installation
from tests.unit.archive.conftest import finished

from interlock.crds.audithead import AuditHeadSpec
from interlock.operator.api import Api
from interlock.operator.archive import Archive, migrate, row_of
from interlock.operator.archive.heads import sign_head
from interlock.operator.archive.signing import Signer
from interlock.operator.heads import Heads
from interlock.operator.lease import Leadership


class Leading(Leadership):
    """Leads without a Lease: the one of this lab is not to be taken."""

    leads = True


class Stand:
    """An archive of one execution, and who signs it."""

    def __init__(self, installation: Installation, api: Api, folder: Path) -> None:
        url = f"sqlite:///{folder / 'archive.db'}"
        migrate.upgrade(url)
        self.installation = installation
        self.archive = Archive(url)
        self.signer = Signer.load(folder / "key", make=True)
        self.out = io.StringIO()
        self.archive.put(row_of(finished(secrets.randbelow(10**9))))
        leadership = Leading(api, "test", 15)
        leadership.acquired.set()
        self.heads = Heads(api, leadership, self.archive, self.signer, out=self.out)

    def published(self) -> AuditHeadSpec | None:
        """The AuditHead of the chain's end."""
        end = self.archive.tail()
        name = f"audit-{end.seq:012d}-{end.hash.removeprefix('sha256:')[:8]}"
        answer = self.installation.admin.get(f"{API}/auditheads/{name}")
        return AuditHeadSpec.model_validate(answer.body["spec"]) if answer.ok else None


@pytest.fixture
async def stand(installation: Installation, tmp_path: Path) -> AsyncIterator[Stand]:
    api = await Api.connect(installation.operator_kubeconfig, 30)
    made = Stand(installation, api, tmp_path)
    yield made
    made.archive.close()
    await api.close()


async def test_what_a_stopping_operator_archived_is_signed_and_published(stand: Stand) -> None:
    await stand.heads.last()
    head = stand.published()
    assert head is not None
    printed = json.loads(stand.out.getvalue())
    assert printed.pop("interlock") == "audit-head"
    assert AuditHeadSpec.model_validate(printed) == head
    await stand.heads.last()
    assert stand.out.getvalue().count("\n") == 1, "it has not moved"


async def test_a_head_that_was_signed_before_a_crash_is_published_after_it(stand: Stand) -> None:
    signed = sign_head(stand.archive, stand.signer, "2026-01-01T00:00:00.000Z")
    assert stand.published() is None
    keeping = asyncio.create_task(stand.heads.keep(0.01))
    async with asyncio.timeout(60):
        while await asyncio.to_thread(stand.published) is None:  # noqa: ASYNC110 - the API server tells nobody
            await asyncio.sleep(0)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    assert stand.published() == signed


async def test_a_changed_archive_is_not_signed_over(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    await stand.heads.last()
    before = stand.archive.tail()
    with stand.archive.engine.begin() as connection:
        connection.execute(text("UPDATE executions SET hash = 'sha256:' || substr(hash, 9) || '0'"))
    stand.archive.put(row_of(finished(1)))
    await stand.heads.last()
    assert stand.published() is None
    assert f"seq {before.seq} of the archive is not what was signed" in caplog.text
