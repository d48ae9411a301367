"""What the operator takes for missing or changed, before it asks anybody."""

from interlock.crds.manifests import resources
from interlock.operator.selfcheck import BINDING, POLICY, differences, shipped


def test_every_policy_that_is_shipped_is_demanded_with_its_binding() -> None:
    wanted = shipped()
    policies = {name for kind, name in wanted if kind == POLICY}
    assert len(policies) > 10
    assert policies <= {name for kind, name in wanted if kind == BINDING}
    text = "".join(path.read_text() for path in resources("install"))
    assert text.count(f"kind: {POLICY}\n") + text.count(f"kind: {BINDING}\n") == len(wanted)


def test_what_is_missing_or_differs_is_named_and_what_is_more_is_not() -> None:
    wanted = shipped()
    assert not list(differences(wanted, {**wanted, (POLICY, "somebody's"): "sha256:0"}))
    gone = {key: says for key, says in wanted.items() if key != (BINDING, "interlock-agents")}
    changed = {**gone, (POLICY, "interlock-create"): "sha256:0"}
    assert list(differences(wanted, changed)) == [
        f"{POLICY} interlock-create is not as shipped",
        f"{BINDING} interlock-agents is missing",
    ]
