"""`interlock lab`: bring a cluster up, break it, mend it, take it down."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from interlock.lab.errors import LabError
from interlock.lab.faults import FAULTS, Command, Fault, change, find_fault, inject, repair
from interlock.lab.kind import ensure_kind_cluster
from interlock.lab.kubectl import administrator, existing_cluster
from interlock.lab.lab import Lab, lab_down, lab_state, lab_up
from interlock.lab.layout import Layout
from interlock.lab.settings import Kubernetes, LabSettings
from interlock.lab.shop import NAMESPACE, deploy_shop

lab_app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    help=(
        "A Kubernetes to try things on. Everything in it is real but the containers: a control plane on this machine, "
        "simulated nodes, Prometheus and Alertmanager, a small shop, and faults to inject.\n\n"
        "Try: interlock lab up; interlock lab break crash-after-change; interlock lab mend crash-after-change; "
        "interlock lab down"
    ),
)
console = Console()

Directory = Annotated[
    Path | None, typer.Option("--dir", help="The lab's folder; any number of labs live side by side, one per folder.")
]
Context = Annotated[
    str | None, typer.Option(help="Use this context of your kubeconfig instead of a lab. Never done unless named.")
]
Namespace = Annotated[str, typer.Option(help="Where the shop runs.")]
FaultName = Annotated[str, typer.Argument(help="A fault's name; `interlock lab faults` lists them.")]


@lab_app.command()
def up(  # noqa: PLR0917 - options of a command line
    directory: Directory = None,
    context: Context = None,
    kind: Annotated[
        bool, typer.Option("--kind", help="A cluster of kind instead of a lab, where Docker runs.")
    ] = False,
    nodes: Annotated[int, typer.Option(min=1, max=50, help="How many simulated nodes.")] = 3,
    real_nodes: Annotated[
        int, typer.Option(min=0, max=3, help="How many real nodes instead: kubelets and containers; as root, on Linux.")
    ] = 0,
    kubernetes: Annotated[
        Kubernetes | None,
        typer.Option(help="Which minor release; compiled on its first use. Default: INTERLOCK_LAB_KUBERNETES or 1.36."),
    ] = None,
    shop: Annotated[bool, typer.Option(help="Deploy the demo shop.")] = True,
) -> None:
    """Start a lab and keep it until `lab down`. A lab that runs is left as it is.

    The first start compiles the control plane (some minutes, once, cached); later ones take about ten seconds.
    """
    folder = _folder(directory)
    with _plain_errors():
        if kind:
            context = ensure_kind_cluster(_say)
        if context is not None:
            existing_cluster(context)
            console.print(f"using the cluster of context {context}; nothing was started")
        elif Lab.load(folder) is not None:
            console.print(f"the lab in {folder} is up already", soft_wrap=True)
        else:
            lab = lab_up(folder, nodes=nodes, real_nodes=real_nodes, kubernetes=kubernetes, owned=False, progress=_say)
            if shop:
                _say("deploying the shop")
                deploy_shop(administrator(lab))
            console.print(f"the lab is up: export KUBECONFIG={lab.kubeconfig}", soft_wrap=True)


@lab_app.command()
def offer(
    archives: Annotated[list[Path], typer.Argument(help="OCI archives, such as `make images` writes to dist/.")],
    directory: Directory = None,
) -> None:
    """Let the lab's real nodes pull images that you have built."""
    with _plain_errors():
        lab = _running(directory)
        for archive in archives:
            for name in lab.offer(archive):
                console.print(f"nodes can pull {name}", soft_wrap=True)


@lab_app.command()
def down(directory: Directory = None) -> None:
    """End the lab and every process of it; its logs stay."""
    with _plain_errors():
        ended = lab_down(_folder(directory))
    console.print("the lab is down" if ended else f"no lab runs in {_folder(directory)}", soft_wrap=True)


@lab_app.command()
def status(directory: Directory = None) -> None:
    """Show how the lab does; exit code 1 when it does not run, with the reason."""
    folder = _folder(directory)
    state = lab_state(folder)
    if state is None:
        console.print(f"there is no lab in {folder}; start one with: interlock lab up", soft_wrap=True)
        raise typer.Exit(1)
    console.print(f"{state.phase}: {folder}", soft_wrap=True)
    if state.message:
        console.print(state.message, markup=False, soft_wrap=True)
    if state.phase != "running":
        raise typer.Exit(1)
    _show(Lab(folder, state.description))
    for name, pid in state.pids.items():
        if name != "setup":
            console.print(f"  {name:26} pid {pid}")


@lab_app.command()
def faults() -> None:
    """List the faults that can be injected."""
    table = Table("fault", "what it does", "alerts", box=None)
    for fault in FAULTS.values():
        table.add_row(fault.name, f"{fault.title}: {fault.does}.", "\n".join(fault.alerts))
    console.print(table)


@lab_app.command(name="break")
def break_(
    fault: FaultName, namespace: Namespace = NAMESPACE, directory: Directory = None, context: Context = None
) -> None:
    """Inject a fault, as the person who would make that mistake."""
    with _plain_errors():
        found = find_fault(fault)
        if context is None:
            _show_changes(inject(_running(directory), found, namespace))
        else:
            _change_elsewhere(found, found.breaks, namespace, context)
    console.print(f"{found.title}; expect {', '.join(found.alerts)}. Take it back: interlock lab mend {fault}")


@lab_app.command()
def mend(
    fault: FaultName, namespace: Namespace = NAMESPACE, directory: Directory = None, context: Context = None
) -> None:
    """Take a fault back by the reverse change."""
    with _plain_errors():
        found = find_fault(fault)
        if context is None:
            _show_changes(repair(_running(directory), found, namespace))
        else:
            _change_elsewhere(found, found.mends, namespace, context)


@lab_app.command()
def logs(
    component: Annotated[str, typer.Argument(help="A component, for example kube-apiserver or kubelet.")],
    directory: Directory = None,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Show the last lines that a component of the lab printed."""
    layout = Layout(_folder(directory))
    path = layout.log(component)
    if not path.exists():
        names = ", ".join(sorted(found.stem for found in layout.directory.glob("logs/*.log")))
        typer.echo(
            f"no component {component!r} has a log in {layout.directory}; there are: {names or 'none'}", err=True
        )
        raise typer.Exit(1)
    typer.echo("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))


def _change_elsewhere(fault: Fault, commands: tuple[Command, ...], namespace: str, context: str) -> None:
    if fault.lab_only:
        raise LabError(f"{fault.name} needs the nodes of a lab: leave --context out to use one")
    _show_changes(change(existing_cluster(context), commands, namespace))


def _show_changes(lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _running(directory: Path | None) -> Lab:
    lab = Lab.load(_folder(directory))
    if lab is None:
        raise LabError(f"no lab runs in {_folder(directory)}; start it with: interlock lab up")
    return lab


def _folder(directory: Path | None) -> Path:
    return (directory or LabSettings().default_directory).resolve()


def _show(lab: Lab) -> None:
    console.print(f"  KUBECONFIG={lab.kubeconfig}", soft_wrap=True)
    if lab.description.monitoring:
        console.print(f"  Prometheus {lab.prometheus_url}, Alertmanager {lab.alertmanager_url}", soft_wrap=True)


def _say(line: str) -> None:
    console.print(f"  {line}", style="dim", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
