"""What the chart deploys, as pods of real kubelets: built here, installed by helm, confined, ready, replaced."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import make_url
from tests.support.identity import Json
from tests.support.image import Opened
from tests.support.installation import Installation
from tests.support.operators import LEASES
from tests.support.postgres import Postgres
from tests.support.scene import Scene, open_namespace, scaling
from tests.support.waiting import eventually
from tools.images import PARTS, build, version

from interlock.cli.releases import CONTRACT_ONLY, install_all, interlock
from interlock.crds.execution import Fence
from interlock.crds.names import AGENTS_NAMESPACE, OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.lab import Lab
from interlock.lab.helm import find_helm
from interlock.lab.kubectl import Kubectl, administrator
from interlock.lab.nodes import tunnel
from interlock.lab.tools import silent
from interlock.operator.archive import Archive

pytestmark = pytest.mark.image

SERVED = "registry.example/shop/catalogue:0.9.4"
PATIENCE = "--timeout=200s"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
LOOK = """
import json, os
def writes(place):
    try:
        open(place + "/probe", "w").close()
    except OSError as refused:
        return refused.strerror
    return "yes"
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "capabilities": int(status["CapEff"], 16),
    "escalates": status["NoNewPrivs"].strip() == "0",
    "writes": {place: writes(place) for place in ("/", "/opt/interlock", "/tmp", "/var/lib/interlock")},
}))
"""


@dataclass(frozen=True)
class Pods:
    """Interlock as it runs on the cluster."""

    kubectl: Kubectl
    installation: Installation
    database: str

    def named(self, namespace: str, name: str) -> list[Json]:
        """The pods of one of the chart's Deployments that are not on their way out."""
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io/name%3D{name}"
        return [p for p in self.installation.admin.get(path).body["items"] if "deletionTimestamp" not in p["metadata"]]

    def scene(self) -> Scene:
        """A namespace with a Deployment that real nodes can run."""
        name = f"test-{secrets.token_hex(4)}"
        open_namespace(self.installation, name)
        return Scene.prepare(self.installation, name, Path("/nowhere"), image=SERVED)

    def holder(self) -> str:
        """The pod that leads, or nothing."""
        lease = self.installation.admin.get(f"{LEASES}/{OPERATOR_ACCOUNT}").body
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def look(self, namespace: str, pod: str, python: str) -> Json:
        """What a process in a pod is and may."""
        said: Json = json.loads(self.kubectl.run("exec", "--namespace", namespace, pod, "--", python, "-c", LOOK))
        return said


@pytest.fixture(scope="module")
def images(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Opened]:
    """Operator and agents, built and offered to the nodes."""
    made = {}
    for part in PARTS:
        archive = build(part, tmp_path_factory.mktemp(part))
        lab.offer(archive)
        made[part] = Opened(archive)
    return made


def python_of(image: Opened) -> str:
    """Its interpreter, where the image has it."""
    return str(image.config["config"]["Entrypoint"][0])


@pytest.fixture
def database(
    lab: Lab, installation: Installation, postgres: Postgres, images: dict[str, Opened]
) -> Iterator[tuple[str, str]]:
    """A database as the tests reach it and as pods do, by a pod that passes connections on to the server's socket."""
    kubectl, namespace = administrator(lab), f"relay-{secrets.token_hex(4)}"
    with postgres.database() as url:
        kubectl.run("create", "namespace", namespace)
        assert installation.admin.post(
            f"/api/v1/namespaces/{namespace}/pods", relay(python_of(images["operator"]), postgres.socket)
        ).ok
        kubectl.run("wait", "--namespace", namespace, "pod/relay", "--for=condition=Ready", PATIENCE)
        address = kubectl.run("get", "pod/relay", "--namespace", namespace, "--output=jsonpath={.status.podIP}")
        yield url, f"postgresql://{postgres.user}:none@{address}:5432/{make_url(url).database}"
        kubectl.run("delete", "namespace", namespace, "--wait=false")


def relay(python: str, socket: Path) -> Json:
    """A pod of the operator's image with the folder of a server's socket."""
    program = (
        f"{Path(tunnel.__file__).read_text()}\n"
        "async def stand():\n"
        "    server = await from_port_to_socket('0.0.0.0', 5432, Path('/postgres/.s.PGSQL.5432'))\n"
        "    await server.serve_forever()\n"
        "asyncio.run(stand())\n"
    )
    container = {
        "name": "relay",
        "image": f"interlock/operator:{version()}",
        "command": [python, "-c", program],
        "securityContext": {"runAsUser": 0},
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
        "volumeMounts": [{"name": "socket", "mountPath": "/postgres"}],
    }
    volumes = [{"name": "socket", "hostPath": {"path": str(socket)}}]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    return {"metadata": {"name": "relay"}, "spec": spec}


@pytest.fixture
def pods(lab: Lab, installation: Installation, images: dict[str, Opened], database: tuple[str, str]) -> Iterator[Pods]:
    """Two operators and the agents, in namespaces that admit nothing but restricted pods."""
    kubectl, helm = administrator(lab), find_helm((f"--kubeconfig={lab.kubeconfig}",), silent)
    for namespace in (SYSTEM_NAMESPACE, AGENTS_NAMESPACE):
        kubectl.run("label", "namespace", namespace, RESTRICTED, "--overwrite")
        secret(installation, namespace, "database", {"url": database[1].encode()})
    secret(installation, AGENTS_NAMESPACE, "interlock-webhook", {"token": secrets.token_hex(16).encode()})
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret(installation, SYSTEM_NAMESPACE, "keys", {"signing.pem": key, "redaction.key": secrets.token_bytes(32)})
    settings = (
        "operator.archive.secretName=database",
        "operator.keys.secretName=keys",
        "operator.allowUnvetted=true",
        "agents.database.secretName=database",
    )
    quota = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/resourcequotas/interlock"
    assert installation.admin.delete(quota).ok, "the tests' own, which helm would not change"
    install_all(helm, [interlock([f"--set={setting}" for setting in settings])], silent)
    yield Pods(kubectl, installation, database[0])
    install_all(helm, [interlock(CONTRACT_ONLY)], silent)


def secret(installation: Installation, namespace: str, name: str, content: Mapping[str, bytes]) -> None:
    """A Secret of the owner's."""
    data = {key: base64.b64encode(value).decode() for key, value in content.items()}
    installation.apply(
        [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}]
    )


def test_the_charts_pods_are_confined_carry_out_a_runbook_and_take_over(pods: Pods, images: dict[str, Opened]) -> None:
    for namespace, name in ((SYSTEM_NAMESPACE, "interlock-operator"), (AGENTS_NAMESPACE, "interlock-agents")):
        pods.kubectl.run("rollout", "status", "--namespace", namespace, f"deployment/{name}", PATIENCE)
    for part, namespace, many in (("operator", SYSTEM_NAMESPACE, 2), ("agents", AGENTS_NAMESPACE, 1)):
        found = pods.named(namespace, f"interlock-{part}")
        assert len({pod["spec"]["nodeName"] for pod in found}) == len(found) == many, "one a node"
        for pod in found:
            assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0]
            seen = pods.look(namespace, pod["metadata"]["name"], python_of(images[part]))
            assert seen == {
                "uid": 65532,
                "gid": 65532,
                "capabilities": 0,
                "escalates": False,
                "writes": {
                    "/": "Read-only file system",
                    "/opt/interlock": "Read-only file system",
                    "/tmp": "yes",
                    "/var/lib/interlock": "yes",
                },
            }

    scene = pods.scene()
    first = eventually("a pod to lead", pods.holder)
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    assert ended(scene, "fix").holder == first

    assert scene.request(scaling(), {"replicas": "1"}, name="again").ok
    scene.offered("again")
    pods.kubectl.run("delete", "--namespace", SYSTEM_NAMESPACE, f"pod/{first}", "--wait=false")
    second = eventually("another pod to lead", lambda: {pods.holder()} - {first, ""}).pop()
    assert second in {pod["metadata"]["name"] for pod in pods.named(SYSTEM_NAMESPACE, "interlock-operator")}
    scene.approve("again")
    assert ended(scene, "again").holder == second
    archive = Archive(pods.database)
    for name in ("fix", "again"):
        uid = scene.admin.get(scene.path(name)).body["metadata"]["uid"]
        eventually(f"{name} to be in the archive that both share", partial(archive.get, uid))
    archive.close()
    pods.kubectl.run("rollout", "status", "--namespace", SYSTEM_NAMESPACE, "deployment/interlock-operator", PATIENCE)


def ended(scene: Scene, name: str) -> Fence:
    """Who brought it to its end, once it has succeeded."""
    fence = scene.ends("Succeeded", name=name).fence
    assert fence is not None
    return fence
