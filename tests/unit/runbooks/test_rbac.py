"""What is granted is what the runbook asks for, to its own account, there and nowhere else."""

from typing import Any

import pytest

from interlock.crds.runbook import Runbook
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.rbac import fits, grants, grants_for_family, opt_in

DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
SETS = {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list"]}
NAMED = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"], "resourceNames": ["settings"]}


def runbook(*permissions: dict[str, Any], version: str = "1.0.0", family: str = "restart", **changes: Any) -> Runbook:
    spec: dict[str, Any] = {
        "family": family,
        "version": version,
        "title": "Restart",
        "risk": "Low",
        "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "permissions": list(permissions),
        "steps": [{"name": "restart", "action": "rolloutRestart"}],
        "verification": {"checks": [{"name": "ready", "expression": "true"}]},
        **changes,
    }
    return Runbook.model_validate({"metadata": {"name": f"{family}-{version}"}, "spec": spec})


def names(manifests: list[dict[str, Any]]) -> list[tuple[str, str | None, str]]:
    return [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests]


def test_opting_in_labels_binds_readers_and_caps() -> None:
    space, operator, agents, quota = opt_in("shop")
    assert space["metadata"] == {"name": "shop", "labels": {"interlock.dev/remediation": "enabled"}}
    assert operator["roleRef"]["name"] == "interlock-operator-reader"
    assert agents["roleRef"]["name"] == "interlock-agents-reader"
    assert {m["metadata"]["namespace"] for m in (operator, agents, quota)} == {"shop"}
    assert quota["spec"]["hard"] == {"count/runbookexecutions.interlock.dev": "200"}


@pytest.mark.parametrize("namespace", ["kube-public", "interlock-runners", "cluster"])
def test_some_namespaces_are_never_acted_in(namespace: str) -> None:
    with pytest.raises(ValueError, match=f"never acts in the namespace '{namespace}'"):
        opt_in(namespace)
    with pytest.raises(ValueError, match="never acts"):
        grants(runbook(DEPLOYMENTS), [namespace])


def test_in_kube_system_one_family_acts_and_agents_read_no_more_than_before() -> None:
    space, _, agents, _ = opt_in("kube-system")
    assert (space["metadata"]["name"], agents["roleRef"]["name"]) == ("kube-system", "interlock-agents-system")
    with pytest.raises(ValueError, match="in kube-system no runbook acts but restart-coredns, not restart"):
        grants(runbook(DEPLOYMENTS), ["kube-system"])
    assert not fits(runbook(DEPLOYMENTS), "kube-system")
    shipped = [item.runbook for item in load_catalogue() if fits(item.runbook, "kube-system")]
    assert [one.spec.family for one in shipped] == ["restart-coredns"]
    assert grants(shipped[0], ["kube-system"])[1]["rules"][0]["resourceNames"] == ["coredns"]


def test_a_runbook_gets_an_account_for_its_namespace() -> None:
    account, role, binding, mint, minting = grants(runbook(DEPLOYMENTS, NAMED), ["shop"])
    assert account["metadata"] == {"name": "restart.shop", "namespace": "interlock-runners"}
    assert account["automountServiceAccountToken"] is False
    assert (role["kind"], role["metadata"]["namespace"], role["rules"]) == ("Role", "shop", [DEPLOYMENTS, NAMED])
    assert binding["metadata"]["namespace"] == "shop"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "restart.shop", "namespace": "interlock-runners"}]
    assert mint["metadata"]["namespace"] == "interlock-runners"
    assert mint["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": ["restart.shop"],
            "verbs": ["create"],
        }
    ]
    assert minting["subjects"][0]["name"] == "interlock-operator"
    assert minting["roleRef"]["name"] == mint["metadata"]["name"]


def test_cluster_scoped_targets_get_cluster_roles() -> None:
    found = names(grants(runbook(DEPLOYMENTS), [None]))
    assert found[:3] == [
        ("ServiceAccount", "interlock-runners", "restart.cluster"),
        ("ClusterRole", None, "interlock-runner.restart"),
        ("ClusterRoleBinding", None, "interlock-runner.restart"),
    ]


def test_namespaces_are_granted_apart() -> None:
    manifests = grants(runbook(DEPLOYMENTS), ["shop", "bank"])
    assert len(set(names(manifests))) == len(manifests) == 10
    assert grants(runbook(DEPLOYMENTS), []) == []


def test_a_family_gets_the_union_of_its_active_versions() -> None:
    versions = [
        runbook(DEPLOYMENTS),
        runbook(DEPLOYMENTS, SETS, version="1.1.0"),
        runbook(NAMED, version="0.9.0", state="Retired"),
    ]
    assert grants_for_family(versions, ["shop"])[1]["rules"] == [DEPLOYMENTS, SETS]


def test_a_family_without_active_versions_keeps_no_right() -> None:
    assert grants_for_family([runbook(DEPLOYMENTS, state="Retired")], ["shop"])[1]["rules"] == []


def test_families_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="one family at a time, got restart, scale"):
        grants_for_family([runbook(DEPLOYMENTS), runbook(DEPLOYMENTS, family="scale")], ["shop"])


def test_a_hand_over_needs_no_account() -> None:
    handover = runbook(family="escalate", type="Handover", steps=[], verification=None)
    assert grants(handover, ["shop"]) == []
