"""Revisions, what places their pods, and the addresses that they are told."""

from typing import Any

import pytest

from interlock.crds.cel import evaluate

Object = dict[str, Any]


def revision(number: int, *, namespace: str = "shop", aliases: list[str] | None = None, **container: Any) -> Object:
    spec: Object = {"containers": [{"name": "app", "image": "shop/web:1", **container}]}
    if aliases:
        spec["hostAliases"] = [{"ip": "10.0.0.1", "hostnames": aliases}]
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    metadata = {"namespace": namespace, "uid": f"rs-{number}", "annotations": annotations}
    return {"kind": "ReplicaSet", "metadata": metadata, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(("wanted", "found"), [(0, 2), (1, 1), (2, 2), (3, None), (7, None)])
def test_the_revision_before_is_one_whose_pods_differ(wanted: int, found: int | None) -> None:
    newest, restarted = revision(4, image="shop/web:2"), revision(3, image="shop/web:2")
    known: Object = {"r": [newest, restarted, revision(2), revision(1)]}
    number = f"previous(r, {wanted}).?metadata.?uid.orValue('')"
    assert evaluate(number, known) == (f"rs-{found}" if found else "")


def test_a_first_revision_has_none_before_it() -> None:
    assert evaluate("previous([], 0)", {}) == {}
    assert evaluate("previous(r, 0)", {"r": [revision(1)]}) == {}


def test_only_pods_of_the_owner_that_stay_are_its_pods() -> None:
    mine: Object = {"metadata": {"name": "a", "ownerReferences": [{"uid": "rs-1"}]}}
    going: Object = {"metadata": {**mine["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}}
    others: Object = {"metadata": {"name": "b", "ownerReferences": [{"uid": "rs-2"}]}}
    held: Object = {"p": [mine, going, others, {"metadata": {"name": "bare"}}], "r": revision(1)}
    assert evaluate("podsOf(p, r)", held) == [mine]


def test_what_places_pods_is_not_their_image() -> None:
    plain = {"a": revision(1), "b": revision(2, image="shop/web:2")}
    assert evaluate("placement(a) == placement(b)", plain) is True
    others: list[Object] = [
        {"nodeSelector": {"disk": "ssd"}},
        {"tolerations": [{"key": "a"}]},
        {"affinity": {"podAffinity": {}}},
    ]
    for more in others:
        other = revision(2)
        other["spec"]["template"]["spec"].update(more)
        assert evaluate("placement(a) == placement(b)", {"a": revision(1), "b": other}) is False, more
    asks = revision(2, resources={"requests": {"cpu": "64"}})
    assert evaluate("placement(a) == placement(b)", {"a": revision(1), "b": asks}) is False


SERVICES: list[Object] = [
    {"metadata": {"name": "orders"}, "spec": {"clusterIP": "10.0.0.2", "ports": [{"port": 8080}]}},
    {"metadata": {"name": "db"}, "spec": {"clusterIP": "None", "ports": []}},
    {"metadata": {"name": "mail"}, "spec": {"type": "ExternalName", "externalName": "smtp.example"}},
]


def told(**variables: str) -> Object:
    return revision(1, env=[{"name": name, "value": value} for name, value in variables.items()])


def astray(holder: Object) -> Any:
    return evaluate("astray(o, s)", {"o": holder, "s": list(SERVICES)})


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"ORDERS_URL": "http://orders-old:8080/v1"}, ["orders-old:8080"]),
        ({"ORDERS_URL": "http://orders:8081"}, ["orders:8081"]),
        ({"ORDERS_URL": "http://orders"}, ["orders:80"]),
        ({"BACKEND_ADDR": "orders.shop:9000"}, ["orders.shop:9000"]),
        ({"BACKEND_ADDR": "orders.shop.svc.cluster.lcoal:8080"}, ["orders.shop.svc.cluster.lcoal:8080"]),
        ({"DSN": "postgres://app:x@pg:5432/shop"}, ["pg:5432"]),
        ({"ORDERS_HOST": "ordesr", "ORDERS_PORT": "8080"}, ["ordesr:8080"]),
        ({"ORDERS_HOST": "orders", "ORDERS_PORT": "8081"}, ["orders:8081"]),
        ({"BROKERS": "kafka-0:9092,kafka-1:9092"}, ["kafka-0:9092", "kafka-1:9092"]),
    ],
)
def test_an_address_that_no_service_has_is_astray(variables: dict[str, str], found: list[str]) -> None:
    assert astray(told(**variables)) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERS_URL", "http://orders:8080"),
        ("ORDERS_URL", "http://orders.shop.svc.cluster.local.:8080"),
        ("ORDERS_HOST", "orders"),
        ("DB_URL", "postgres://db:5999/shop"),
        ("MAIL_ADDR", "mail:25"),
        # Other namespaces and the outside are nobody's business here.
        ("CART_URL", "http://cart.basket.svc:80"),
        ("PAY_URL", "https://pay.example.com"),
        ("SELF_ADDR", "localhost:8080"),
        ("SELF_ADDR", "127.0.0.1:8080"),
        ("SELF_ADDR", ":8080"),
        ("SELF_URL", "http://$(POD_IP):8080"),
        # Whoever is not told to call somebody calls nobody.
        ("IMAGE", "shop:2024"),
        ("MODE", "fast"),
    ],
)
def test_other_values_are_not(name: str, value: str) -> None:
    assert astray(told(**{name: value})) == []


def test_arguments_are_read_and_aliases_are_believed() -> None:
    asked = revision(1, command=["run", "--db-host=pg", "--orders-addr", "orders:8080"], args=["http://cart:80"])
    assert astray(asked) == ["cart:80", "pg"]
    assert (
        astray(
            revision(1, aliases=["pg", "cart"], command=asked["spec"]["template"]["spec"]["containers"][0]["command"])
        )
        == []
    )
    assert astray({}) == []
