"""A PostgreSQL server of the tests' own, on a Unix socket in a folder; nothing listens on the network."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine, text
from tests.support.waiting import eventually


class NoPostgres(Exception):
    """There is no PostgreSQL on this machine; the message says what to install."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    socket: Path
    user: str

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={quote(str(self.socket), safe='')}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, dropped at the end."""
        name = f"test_{secrets.token_hex(4)}"
        admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield self.url(name)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@contextmanager
def server() -> Iterator[Postgres]:
    """A new server with one database, `postgres`, until the block ends.

    Raises:
        NoPostgres: the binaries are missing.
    """
    binaries = _binaries()
    user = _user()
    with tempfile.TemporaryDirectory(prefix="interlock-pg-") as folder:
        place = Path(folder)
        if user != _me():
            shutil.chown(place, user)
        log, settings = place / "log", ("-c", "listen_addresses=", "-c", "fsync=off")
        _run(user, [str(binaries / "initdb"), "-D", str(place / "data"), "-A", "trust", "--no-sync"], log)
        command = [str(binaries / "postgres"), "-D", str(place / "data"), "-k", folder, *settings]
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, user=_as(user))
        try:
            ready = [str(binaries / "pg_isready"), "-q", "-h", folder]
            eventually("PostgreSQL to answer", lambda: subprocess.run(ready, check=False).returncode == 0)
            yield Postgres(place, user)
        finally:
            process.terminate()
            process.wait(timeout=120)


def _binaries() -> Path:
    """The folder of initdb: where Debian keeps each version, or on PATH (where there may only be a wrapper)."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3].split(".")[0]))
    found = installed[-1] if installed else shutil.which("initdb")
    if not found:
        raise NoPostgres("no PostgreSQL here: apt-get install postgresql")
    return Path(found).parent


def _run(user: str, command: Sequence[str], log: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=_as(user))
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}; see {log}")


def _as(user: str) -> str | None:
    """initdb refuses root: another user to run as, if it is another."""
    return None if user == _me() else user


def _user() -> str:
    if os.geteuid() != 0:
        return _me()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
