"""`interlock operator run`."""

import asyncio
import logging

import typer

from interlock.cli.errors import CommandError
from interlock.crds.trust import PolicyRefused
from interlock.operator.archive import ArchiveError
from interlock.operator.service import run as serve
from interlock.operator.settings import OperatorSettings

app = typer.Typer(no_args_is_help=True, help="Run the operator.", rich_markup_mode=None)


@app.callback()
def operator() -> None:
    """Run the operator."""


@app.command()
def run() -> None:
    """Run the operator until SIGTERM or Ctrl-C, with settings from the environment.

    Each setting is a variable INTERLOCK_OPERATOR_<NAME>: KUBECONFIG (none: the pod's own account), DATA_DIR,
    ARCHIVE_URL, SIGNING_KEY, HEAD_SECONDS, KEEP_NEWEST, KEEP_DAYS, PROMETHEUS_URL, HEALTH_HOST, HEALTH_PORT,
    SHARD, LEASE_SECONDS, GRACE_SECONDS, TRUST_POLICY (a file: whose attestations are believed); ALLOW_UNVETTED is for
    labs only. The signed heads of the archive are printed to standard output, all else goes to standard error.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(OperatorSettings()))
    except ArchiveError as wrong:
        raise CommandError(str(wrong)) from wrong
    except PolicyRefused as refused:
        raise CommandError(f"the trust policy cannot be read: {refused}") from refused
