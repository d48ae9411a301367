"""What a Service is meant to reach, and when nobody can tell."""

import json
from typing import Any

import pytest

from interlock.crds.cel import evaluate
from interlock.crds.celobjects import LAST_APPLIED

Object = dict[str, Any]
HTTP = {"name": "http", "containerPort": 8080}
METRICS = {"name": "metrics", "containerPort": 9090}


def workload(name: str, labels: Object | None = None, *, ports: list[Object] | None = None, ready: int = 1) -> Object:
    chosen = labels if labels is not None else {"app": name}
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": chosen},
            "template": {
                "metadata": {"labels": chosen},
                "spec": {"containers": [{"name": "app", "ports": [HTTP] if ports is None else ports}]},
            },
        },
        "status": {"readyReplicas": ready},
    }


def service(selector: Object, *ports: Object, name: str = "web", **more: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"selector": selector, "ports": list(ports or [PORT]), **more}}


PORT: Object = {"name": "main", "port": 80, "targetPort": "http"}


def intended(target: Object, *workloads: Object) -> Any:
    return evaluate("intended(s, w)", {"s": target, "w": list(workloads)})


def selector_of(target: Object, *workloads: Object) -> Any:
    return intended(target, *workloads).get("selector")


def ports_of(target: Object, *workloads: Object) -> Any:
    return intended(target, *workloads).get("ports")


def test_what_was_applied_last_counts_where_it_leads_to_ready_pods() -> None:
    applied = {"spec": {"selector": {"app": "shop"}, "ports": [PORT]}}
    target = service({"app": "wbe"})
    target["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(applied)}
    assert selector_of(target, workload("web"), workload("shop")) == {"app": "shop"}
    assert selector_of(target, workload("web"), workload("shop", ready=0)) == {"app": "web"}


@pytest.mark.parametrize(
    ("present", "labels", "meant"),
    [
        ({"app": "wbe"}, {"app": "web"}, {"app": "web"}),
        ({"app": "web-v2", "part-of": "shop"}, {"app": "web", "part-of": "shop"}, {"app": "web", "part-of": "shop"}),
        ({"app": "web", "tier": "blue"}, {"app": "web", "team": "a"}, {"app": "web"}),
        ({"tier": "next"}, {"app": "web", "part-of": "shop"}, {"app": "web", "part-of": "shop"}),
        # What is left of it would select the neighbour as well.
        ({"ap": "web", "part-of": "shop"}, {"app": "web", "part-of": "shop"}, {"app": "web", "part-of": "shop"}),
    ],
)
def test_a_selector_that_fits_nobody_is_meant_for_the_namesake(present: Object, labels: Object, meant: Object) -> None:
    beside = workload("cart", {"app": "cart", "part-of": "shop"})
    assert selector_of(service(present), workload("web", labels), beside) == meant
    assert selector_of(service(present, name="web-svc"), workload("web", labels), beside) == meant


@pytest.mark.parametrize(
    "workloads",
    [
        [],
        [workload("other")],
        [workload("web", ready=0)],
        [workload("web", ports=[METRICS])],
        [workload("web", ports=[])],
        # Somebody else's labels are nearer to what it says.
        [workload("web", {"app": "front"}), workload("shop", {"app": "wbee"})],
        # It fits a workload, which is what lacks.
        [workload("web"), workload("next", {"app": "wbe"}, ready=0)],
    ],
)
def test_nobody_can_tell_whom_a_selector_means(workloads: list[Object]) -> None:
    assert intended(service({"app": "wbe"}), *workloads) == {}


@pytest.mark.parametrize("more", [{"type": "ExternalName"}, {"selector": {}}, {"selector": None}])
def test_a_service_that_selects_nobody_on_purpose_is_left(more: Object) -> None:
    target = service({"app": "wbe"})
    target["spec"].update(more)
    assert intended(target, workload("web")) == {}


@pytest.mark.parametrize(
    ("port", "declared", "meant"),
    [
        ({"port": 80, "targetPort": 8081}, [HTTP], {"targetPort": 8080}),
        ({"port": 80, "targetPort": "htpt"}, [HTTP], {"targetPort": 8080}),
        ({"port": 8080, "targetPort": 8081}, [HTTP, METRICS], {"targetPort": 8080}),
        ({"name": "metrics", "port": 80, "targetPort": 8081}, [HTTP, METRICS], {"targetPort": 9090}),
        ({"port": 53, "protocol": "UDP"}, [{"containerPort": 53}], {"protocol": "TCP"}),
    ],
)
def test_a_port_that_nobody_has_is_meant_for_the_one_that_fits(
    port: Object, declared: list[Object], meant: Object
) -> None:
    assert ports_of(service({"app": "web"}, port), workload("web", ports=declared)) == [{**port, **meant}]


@pytest.mark.parametrize(
    ("port", "declared"),
    [
        ({"port": 80, "targetPort": 8081}, [HTTP, METRICS]),
        ({"name": "metrics", "port": 8080, "targetPort": 8081}, [HTTP, METRICS]),
        ({"port": 80, "targetPort": 8081}, []),
        ({"port": 80, "targetPort": 8081}, [{**HTTP, "protocol": "UDP"}]),
    ],
)
def test_nobody_can_tell_which_port_is_meant(port: Object, declared: list[Object]) -> None:
    assert intended(service({"app": "web"}, port), workload("web", ports=declared)) == {}


def test_a_port_that_another_one_leads_to_is_not_meant() -> None:
    wrong = {"name": "more", "port": 81, "targetPort": 8081}
    found = ports_of(service({"app": "web"}, PORT, wrong), workload("web", ports=[HTTP, METRICS]))
    assert found == [PORT, {**wrong, "targetPort": 9090}]


def test_neither_two_workloads_nor_two_faults_at_once_are_guessed_at() -> None:
    wrong = {"port": 80, "targetPort": 8081}
    assert intended(service({"app": "web"}, wrong), workload("web"), workload("canary", {"app": "web"})) == {}
    assert intended(service({"app": "wbe"}, wrong), workload("web")) == {}


def test_what_nobody_serves() -> None:
    target = service({"app": "web"}, PORT, {"port": 9090, "protocol": "UDP"})
    held: Object = {"s": target, "w": [workload("web", ports=[METRICS])]}
    assert evaluate("unserved(s, w).map(p, p.port)", held) == [80, 9090]
    assert evaluate("unserved(s, [])", {"s": service({"app": "web"}, PORT)}) == [PORT]
    assert evaluate("unserved(s, w)", {"s": service({}, PORT), "w": [workload("web")]}) == []
