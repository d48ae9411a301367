"""`interlock agents run`."""

import asyncio
import logging

import typer

from interlock.agents.service import run as serve
from interlock.agents.settings import AgentSettings

app = typer.Typer(no_args_is_help=True, help="Run the agents.", rich_markup_mode=None)


@app.callback()
def agents() -> None:
    """Run the agents."""


@app.command()
def run() -> None:
    """Run the agents until SIGTERM or Ctrl-C, with settings from the environment.

    Each setting is a variable INTERLOCK_AGENTS_<NAME>: KUBECONFIG (none: the pod's own account), DATABASE_URL, HOST,
    PORT, TOKEN_FILE (the webhook's bearer token), PROMETHEUS_URL, MIN_CONFIDENCE, LLM__PROVIDER (docs/models.md).
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(AgentSettings()))
