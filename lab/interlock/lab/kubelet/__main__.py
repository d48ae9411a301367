"""Runs the simulated kubelets until they are killed; started by the lab's supervisor."""

import argparse
import asyncio
from pathlib import Path

from aiohttp import web

from interlock.lab.kubelet.client import ApiClient
from interlock.lab.kubelet.images import ImageTable
from interlock.lab.kubelet.log_server import add_logs, server_context
from interlock.lab.kubelet.shell import Kubelet
from interlock.lab.kubelet.usage import add_usage


def main() -> None:
    """Reads the command line that the lab's plan writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kubeconfig", "certificate", "key", "client-ca", "images"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_run(parser.parse_args()))


async def _run(arguments: argparse.Namespace) -> None:
    async with ApiClient(arguments.kubeconfig) as client:
        images = ImageTable.load(arguments.images)
        kubelet = Kubelet(client, images)
        application = web.Application()
        add_usage(application, kubelet, images)
        add_logs(application, kubelet)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        tls = server_context(arguments.certificate, arguments.key, arguments.client_ca)
        await web.TCPSite(runner, "127.0.0.1", arguments.port, ssl_context=tls).start()
        await kubelet.run()


if __name__ == "__main__":
    main()
