"""What the operator does beside executions: signs the archive's head, keeps the Ledgers, shows what runbooks are worth,
clears away what is over."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from interlock.operator.api import Api
from interlock.operator.archive import Archive
from interlock.operator.archive.signing import Signer
from interlock.operator.bookkeeping import Bookkeeping
from interlock.operator.heads import Heads
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers
from interlock.operator.retention import Keep, Retention
from interlock.operator.settings import OperatorSettings
from interlock.operator.standings import Standings
from interlock.operator.trust import Trust


@dataclass(frozen=True)
class Upkeep:
    """Each at its own pace."""

    heads: Heads
    retention: Retention
    bookkeeping: Bookkeeping
    standings: Standings
    head_seconds: float
    sweep_seconds: float
    show_seconds: float | None
    """None: another shard's operator shows what is used and what runbooks are worth."""

    @classmethod
    def of(
        cls,
        settings: OperatorSettings,
        api: Api,
        leadership: Leadership,
        archive: Archive,
        ledgers: Ledgers,
        *,
        trust: Trust,
    ) -> "Upkeep":
        """As the settings say.

        Raises:
            ArchiveError: the signing key cannot be read.
        """
        keep = Keep(settings.keep_newest, timedelta(days=settings.keep_days))
        return cls(
            Heads(api, leadership, archive, signer(settings)),
            Retention(api, leadership, keep),
            Bookkeeping(api, leadership, ledgers),
            Standings(api, leadership, trust),
            settings.head_seconds,
            settings.sweep_seconds,
            settings.show_seconds if settings.shard == "" else None,
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.heads.keep(self.head_seconds), name="heads")
            group.create_task(self.retention.keep(self.sweep_seconds), name="retention")
            group.create_task(self.bookkeeping.sweep_every(self.sweep_seconds), name="sweep")
            if self.show_seconds is not None:
                group.create_task(self.bookkeeping.show_every(self.show_seconds), name="show")
                group.create_task(self.standings.show_every(self.show_seconds), name="standings")


def signer(settings: OperatorSettings) -> Signer:
    """The key that signs: the one that is given, or one that is made once.

    Raises:
        ArchiveError: it cannot be read.
    """
    if settings.signing_key is not None:
        return Signer.load(settings.signing_key)
    return Signer.load(settings.data_dir / "signing.key", make=True)
