"""The options that many commands share."""

from typing import Annotated

import typer

from interlock.cli.cluster import Cluster, connect
from interlock.cli.screen import Format

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace; by default that of the context.")]
Context = Annotated[str, typer.Option(help="Context of the kubeconfig; by default the current one.")]
Kubeconfig = Annotated[str, typer.Option(help="Kubeconfig file; by default $KUBECONFIG, then ~/.kube/config.")]

__all__ = ["Cluster", "Context", "Format", "Kubeconfig", "Namespace", "connect"]
