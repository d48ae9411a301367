"""The simulated kubelet's core: what a pod shows, from its spec, its image and the time."""

import math
from typing import Any

import pytest

from interlock.lab.kubelet.container import World
from interlock.lab.kubelet.core import admit, advance
from interlock.lab.kubelet.history import KubeletEvent, PodHistory, current_run, previous_run
from interlock.lab.kubelet.images import Image, ImageTable
from interlock.lab.kubelet.log import LogOptions, lines, render
from interlock.lab.kubelet.pods import Pod
from interlock.lab.kubelet.references import References
from interlock.lab.kubelet.status import pod_status

START = 1_000_000.0
SHOP = "registry.example/app"
WEB = {"listens": (8080,), "endpoints": [{"path": "/healthz"}], "working_set": "100Mi"}
TABLE = {
    SHOP: {
        "1": Image.model_validate(WEB),
        "needy": Image.model_validate({"requires": {"URL": {"log": ["KeyError: 'URL'"]}}}),
        "hungry": Image.model_validate({**WEB, "cpu": "200m", "answers_in": "0.2s"}),
        "leaky": Image.model_validate({**WEB, "grows": "1Mi"}),
        "stubborn": Image.model_validate({**WEB, "keeps_settings": True}),
        "private": Image.model_validate({"private": True}),
        "buggy": Image.model_validate({"log": ["hello"], "crash": {"exit_code": 2, "log": ["panic"]}}),
    }
}


class Node:
    """A pod under the core and a clock: moves to each moment at which the core asked to be called."""

    def __init__(self, spec: dict[str, Any], **metadata: str) -> None:
        self.references = References()
        self.world = World(ImageTable(TABLE), self.references)
        self.pod = Pod.model_validate(
            {"metadata": {"name": "p", "namespace": "n", "uid": "u", **metadata}, "spec": spec, "status": {}}
        )
        self.now = START
        self.history: PodHistory = admit(self.pod, self.now)
        self.events: list[KubeletEvent] = []
        self.finished = False

    def run(self, seconds: float = 0.0) -> "Node":
        end = self.now + seconds
        while True:
            step = advance(self.pod, self.history, self.world, self.now)
            self.history, self.finished = step.history, step.finished
            self.events += step.events
            following = math.inf if step.wake_at is None else max(step.wake_at, self.now)
            if following > end or self.finished:
                self.now = end
                return self
            self.now = following

    def change(self, **spec: Any) -> None:
        raw = self.pod.model_dump(by_alias=True)
        raw["spec"].update(spec)
        self.pod = Pod.model_validate(raw)

    @property
    def status(self) -> dict[str, Any]:
        return pod_status(self.pod, self.history, self.now)

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status["containerStatuses"][0]
        return found

    @property
    def waiting(self) -> dict[str, str]:
        found: dict[str, str] = self.container["state"]["waiting"]
        return found

    def said(self, reason: str) -> list[str]:
        return [event.message for event in self.events if event.reason == reason]

    def ready(self) -> bool:
        return any(item["type"] == "Ready" and item["status"] == "True" for item in self.status["conditions"])


def one(image: str = f"{SHOP}:1", **fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": image, **fields}]}


def test_an_unknown_image_runs_and_is_ready() -> None:
    node = Node(one("nginx")).run(1)
    assert node.status["phase"] == "Running"
    assert node.ready()
    assert [event.reason for event in node.events] == ["Pulled", "Created", "Started"]


def test_the_same_moment_gives_the_same_step() -> None:
    node = Node(one(f"{SHOP}:buggy")).run(30)
    first = advance(node.pod, node.history, node.world, node.now)
    assert advance(node.pod, first.history, node.world, node.now).history == first.history


def test_a_tag_that_was_never_pushed() -> None:
    node = Node(one(f"{SHOP}:typo")).run()
    assert node.waiting["reason"] == "ErrImagePull"
    assert node.waiting["message"].endswith(f"{SHOP}:typo: not found")
    node.run(1.5)
    assert node.waiting["reason"] == "ImagePullBackOff"
    assert node.status["phase"] == "Pending"
    assert node.said("BackOff") == [f'Back-off pulling image "{SHOP}:typo"']


def test_a_registry_that_does_not_resolve() -> None:
    assert (
        "lookup nowhere.invalid on 10.96.0.10:53: no such host"
        in Node(one("nowhere.invalid/a:1")).run().waiting["message"]
    )


def test_a_pod_whose_image_is_mended_starts() -> None:
    node = Node(one(f"{SHOP}:typo")).run(3)
    node.change(**one())
    assert node.run(1).ready()


def test_a_crash_loop_backs_off_longer_each_time() -> None:
    node = Node(one(f"{SHOP}:buggy")).run(1.5)
    assert node.container["restartCount"] == 1
    node.run(1)
    assert node.waiting["reason"] == "CrashLoopBackOff"
    assert node.waiting["message"] == "back-off 2s restarting failed container=c pod=p_n(u)"
    assert node.container["lastState"]["terminated"]["exitCode"] == 2
    node.run(60)
    assert node.said("BackOff")[0] == "Back-off restarting failed container c in pod p_n(u)"
    assert node.container["restartCount"] == 6
    assert "back-off 20s" in node.waiting["message"]


def test_logs_of_a_crashing_container() -> None:
    node = Node(one(f"{SHOP}:buggy")).run(3)
    history = node.history.containers["c"]
    for run in (current_run(history), previous_run(history)):
        assert run is not None
        assert render(lines(run, node.now), LogOptions()) == b"hello\npanic\n"
        assert render(lines(run, node.now), LogOptions(tail=1)) == b"panic\n"
        assert render(lines(run, node.now), LogOptions(limit_bytes=3)) == b"hel"
        assert render(lines(run, node.now), LogOptions(timestamps=True)).startswith(b"1970-01-12T13:46:4")


def test_a_required_variable_that_is_not_set() -> None:
    node = Node(one(f"{SHOP}:needy")).run(1)
    run = previous_run(node.history.containers["c"])
    assert run is not None
    assert render(lines(run, node.now), LogOptions()) == b"KeyError: 'URL'\n"
    assert Node(one(f"{SHOP}:needy", env=[{"name": "URL", "value": "x"}])).run(5).ready()


@pytest.mark.parametrize(("limit", "ready"), [("64Mi", False), ("128Mi", True)])
def test_a_memory_limit_below_the_working_set_kills(limit: str, ready: bool) -> None:
    node = Node(one(resources={"limits": {"memory": limit}})).run(2.5)
    assert node.ready() is ready
    if not ready:
        assert node.container["lastState"]["terminated"]["reason"] == "OOMKilled"
        assert node.container["lastState"]["terminated"]["exitCode"] == 137


def test_a_leak_is_killed_when_the_limit_is_reached_and_begins_anew() -> None:
    node = Node(one(f"{SHOP}:leaky", resources={"limits": {"memory": "130Mi"}})).run(29)
    assert node.ready()
    assert node.container["restartCount"] == 0
    node.run(5)
    assert node.container["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert node.ready(), "with room for half a minute more"
    assert Node(one(f"{SHOP}:leaky")).run(3600).container["restartCount"] == 0, "without a limit nobody kills it"


@pytest.mark.parametrize(("limit", "ready"), [({"cpu": "20m"}, False), ({"cpu": "0.1"}, True), ({}, True)])
def test_a_processor_limit_makes_answers_late(limit: dict[str, str], ready: bool) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2}
    node = Node(one(f"{SHOP}:hungry", resources={"limits": limit}, readinessProbe=probe)).run(20)
    assert node.ready() is ready
    late = [said for said in node.said("Unhealthy") if "context deadline exceeded (Client.Timeout" in said]
    assert bool(late) is not ready


def test_a_private_image_is_pulled_with_a_pull_secret() -> None:
    node = Node(one(f"{SHOP}:private")).run(2)
    assert node.waiting["reason"] == "ImagePullBackOff"
    assert node.waiting["message"].endswith("401 Unauthorized")
    node = Node({**one(f"{SHOP}:private"), "imagePullSecrets": [{"name": "other"}, {"name": "pull"}]}).run(2)
    node.references.secrets["n", "other"] = frozenset({"token"})
    assert not node.run(30).ready(), "one that is missing, and one that is none"
    node.references.secrets["n", "pull"] = frozenset({".dockerconfigjson"})
    assert node.run(30).ready()


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"secretKeyRef": {"name": "s", "key": "k"}}, 'secret "s" not found'),
        ({"secretKeyRef": {"name": "half", "key": "k"}}, "couldn't find key k in Secret n/half"),
        ({"configMapKeyRef": {"name": "s", "key": "k"}}, 'configmap "s" not found'),
        ({"configMapKeyRef": {"name": "half", "key": "k"}}, "couldn't find key k in ConfigMap n/half"),
    ],
)
def test_a_missing_reference_and_its_recovery_in_the_same_pod(env: dict[str, Any], problem: str) -> None:
    node = Node(one(env=[{"name": "V", "valueFrom": env}]))
    node.references.secrets["n", "half"] = node.references.config_maps["n", "half"] = frozenset({"other"})
    node.run(1)
    assert node.waiting == {"reason": "CreateContainerConfigError", "message": problem}
    assert node.said("Failed") == [f"Error: {problem}"]
    for objects in (node.references.secrets, node.references.config_maps):
        objects.update({("n", name): frozenset({"k"}) for name in ("s", "half")})
    assert node.run(0.1).ready()
    assert node.container["restartCount"] == 0


def test_a_program_that_keeps_its_settings_is_unready_once_they_change() -> None:
    env = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    node = Node(one(f"{SHOP}:stubborn", env=env, readinessProbe=probe))
    node.references.secrets["n", "db"] = frozenset({"password"})
    node.references.versions["Secret", ("n", "db")] = "1"
    assert node.run(5).ready()
    node.references.versions["Secret", ("n", "other")] = "7"
    assert node.run(5).ready()
    node.references.versions["Secret", ("n", "db")] = "2"
    assert not node.run(5).ready()
    afresh = Node(one(f"{SHOP}:stubborn", env=env, readinessProbe=probe))
    afresh.references.secrets["n", "db"] = frozenset({"password"})
    afresh.references.versions["Secret", ("n", "db")] = "2"
    assert afresh.run(5).ready()


def test_an_optional_reference_may_be_missing() -> None:
    assert Node(one(envFrom=[{"secretRef": {"name": "s", "optional": True}}])).run(1).ready()


def test_a_volume_that_cannot_be_mounted() -> None:
    node = Node({**one(), "volumes": [{"name": "v", "secret": {"secretName": "s"}}]}).run(1)
    assert node.waiting == {"reason": "ContainerCreating"}
    assert node.said("FailedMount") == ['MountVolume.SetUp failed for volume "v" : secret "s" not found']
    node.references.secrets["n", "s"] = frozenset()
    assert node.run(3).ready()


@pytest.mark.parametrize(
    ("get", "words"),
    [
        ({"path": "/ready", "port": 8080}, "Readiness probe failed: HTTP probe failed with statuscode: 404"),
        ({"path": "/healthz", "port": 9090}, "connect: connection refused"),
    ],
)
def test_a_readiness_probe_that_fails(get: dict[str, Any], words: str) -> None:
    node = Node(one(readinessProbe={"httpGet": get, "periodSeconds": 2})).run(10)
    assert not node.ready()
    assert node.status["phase"] == "Running"
    assert node.container["restartCount"] == 0
    assert all(words in said for said in node.said("Unhealthy"))
    assert len(set(node.said("Unhealthy"))) == 1


def test_probes_that_pass() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    assert Node(one(ports=ports, readinessProbe=probe, livenessProbe=probe, startupProbe=probe)).run(5).ready()


def test_a_liveness_probe_that_fails_restarts_the_container() -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 2}
    node = Node(one(livenessProbe=probe)).run(2)
    assert node.said("Killing") == ["Container c failed liveness probe, will be restarted"]
    assert node.container["restartCount"] == 1
    node.run(2)
    assert node.waiting["reason"] == "CrashLoopBackOff"


def test_init_containers_run_one_after_the_other() -> None:
    failing = {"name": "i", "image": "busybox", "command": ["sh", "-c", "exit 1"]}
    node = Node({**one(), "initContainers": [failing]}).run(2)
    assert node.status["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert node.waiting == {"reason": "PodInitializing"}
    passing = {"name": "i", "image": "busybox", "command": ["sh", "-c", "exit 0"]}
    node = Node({**one(), "initContainers": [passing]}).run(3)
    assert node.ready()
    assert node.status["initContainerStatuses"][0]["ready"]


@pytest.mark.parametrize(("script", "phase"), [("echo done", "Succeeded"), ("exit 3", "Failed")])
def test_a_task_runs_to_its_end(script: str, phase: str) -> None:
    node = Node({**one("busybox", command=["sh", "-c", script]), "restartPolicy": "Never"}).run(5)
    assert node.status["phase"] == phase


def test_a_deleted_pod_stops_and_may_go() -> None:
    node = Node(one()).run(1)
    raw = node.pod.model_dump(by_alias=True)
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    node.pod = Pod.model_validate(raw)
    assert node.run(1).finished
    assert node.said("Killing") == ["Stopping container c"]


def test_a_pod_of_two_containers_is_ready_when_both_are() -> None:
    spec = {"containers": [*one()["containers"], {"name": "d", "image": f"{SHOP}:buggy"}]}
    node = Node(spec).run(3)
    ready = next(item for item in node.status["conditions"] if item["type"] == "Ready")
    assert ready["message"] == "containers with unready status: [d]"
