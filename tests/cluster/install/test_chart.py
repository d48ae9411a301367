"""The chart as it is shipped: what it renders, what it refuses, and that a strict namespace admits its pods."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.identity import Identity
from tests.support.waiting import eventually

from interlock.cli.releases import definitions, interlock
from interlock.crds.manifests import chart, resources
from interlock.crds.names import AGENTS_NAMESPACE, RUNNERS_NAMESPACE, SYSTEM_NAMESPACE
from interlock.crds.signing import SigningKey
from interlock.crds.trust import TrustedKey, TrustPolicy
from interlock.lab import Lab, LabError
from interlock.lab.helm import Helm, find_helm
from interlock.lab.tools import ensure_helm, silent
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.rbac import fits, grants

Json = dict[str, Any]
HA = ("--set=operator.archive.secretName=archive", "--set=operator.keys.secretName=keys")
MONITORING = ("--set=prometheusRule.enabled=true,serviceMonitor.enabled=true,dashboard.enabled=true",)


@pytest.fixture(scope="module")
def template() -> Helm:
    """Helm without a cluster."""
    ensure_helm()
    return find_helm((), silent)


def rendered(helm: Helm, *settings: str, namespace: str = SYSTEM_NAMESPACE) -> list[Json]:
    text = helm.run("template", "interlock", str(chart("install")), f"--namespace={namespace}", *settings)
    return [document for document in yaml.safe_load_all(text) if document]


def of(documents: Sequence[Json], kind: str, name: str = "interlock-operator") -> Json:
    (found,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def test_helm_renders_roles_and_policies_as_they_are_written(template: Helm) -> None:
    written = [d for path in resources("install") for d in yaml.safe_load_all(path.read_text()) if d]
    for settings in ((), HA, ("--set=operator.enabled=false,agents.enabled=false,networkPolicy.enabled=false",)):
        documents = rendered(template, *settings)
        assert [d for d in written if d not in documents] == []


def test_one_operator_keeps_its_archive_on_a_volume_and_two_share_a_database(template: Helm) -> None:
    alone, many = rendered(template), rendered(template, *HA)
    assert of(alone, "Deployment")["spec"]["replicas"] == 1
    assert of(alone, "Deployment")["spec"]["strategy"]["type"] == "Recreate"
    assert of(alone, "PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert of(many, "Deployment")["spec"]["replicas"] == 2
    assert {d["metadata"]["name"] for d in many if d["kind"] == "PersistentVolumeClaim"} == {"interlock-agents"}
    environment = of(many, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    url = next(entry for entry in environment if entry["name"] == "INTERLOCK_OPERATOR_ARCHIVE_URL")
    assert url["valueFrom"] == {"secretKeyRef": {"name": "archive", "key": "url"}}


def test_a_model_is_reached_with_a_key_from_a_secret_and_only_where_there_is_one(template: Helm) -> None:
    without = of(rendered(template), "Deployment", "interlock-agents")
    assert "LLM__" not in str(without)
    named = "--set=agents.model.provider=openai,agents.model.name=m,agents.model.secretName=model"
    documents = rendered(template, named, "--set=agents.model.endpoint=http://models.example:8000/v1")
    spec = of(documents, "Deployment", "interlock-agents")["spec"]["template"]["spec"]
    given = {e["name"].removeprefix("INTERLOCK_AGENTS_LLM__"): e.get("value") for e in spec["containers"][0]["env"]}
    assert (given["PROVIDER"], given["NAME"]) == ("openai", "m")
    assert (given["ENDPOINT"], given["KEY_FILE"]) == ("http://models.example:8000/v1", "/etc/interlock/model/api-key")
    assert {"name": "model", "secret": {"secretName": "model", "defaultMode": 0o440}} in spec["volumes"]
    allowed = [
        len(of(d, "NetworkPolicy", "interlock-agents")["spec"]["egress"]) for d in (rendered(template), documents)
    ]
    assert allowed[1] == allowed[0] + 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("--set=operator.replicas=2",), "set operator.archive.secretName and operator.keys.secretName"),
        (("--set=operator.shards={a,b}",), "set operator.archive.secretName and operator.keys.secretName"),
        (("--set=operator.replica=2",), "additional properties 'replica' not allowed"),
        (("--set=operator.image.digest=latest",), "does not match pattern"),
        (("--set=agents.webhook.secretName=",), "minLength"),
        (("--set=operator.settings.keep_newest=1",), "keep_newest"),
        (("--set=operator.trust.revokedKeys={everybody}",), "does not match pattern"),
        (("--set=runners.namespaces={kube-public}",), "runners/namespaces"),
        (("--set=runners.families={restart-everything}",), "no runbook of the family"),
    ],
)
def test_values_that_cannot_work_are_refused(template: Helm, settings: tuple[str, ...], words: str) -> None:
    with pytest.raises(LabError, match=words):
        rendered(template, *settings)


def test_it_belongs_into_the_namespace_that_the_policies_know(template: Helm) -> None:
    with pytest.raises(LabError, match="install into the namespace interlock-system"):
        rendered(template, namespace="default")


def test_each_shard_is_a_deployment_of_its_own(template: Helm) -> None:
    documents = rendered(template, *HA, "--set=operator.shards={,eu-1}")
    names = [d["metadata"]["name"] for d in documents if d["kind"] == "Deployment"]
    assert {"interlock-operator", "interlock-operator-eu-1"} < set(names)
    selectors = [yaml.safe_dump(d["spec"]["selector"]) for d in documents if d["kind"] == "Deployment"]
    assert len(set(selectors)) == len(selectors)


def test_the_trust_policy_is_what_the_values_say(template: Helm) -> None:
    key, digest = SigningKey.new().key_id, f"sha256:{'a' * 64}"
    assert policy(rendered(template)) == TrustPolicy()
    trust = f"--set=operator.trust.keys[0].name=platform,operator.trust.keys[0].key={key}"
    more = f"--set=operator.trust.revokedDigests={{{digest}}},operator.trust.substrate.High=kubelet"
    assert policy(rendered(template, trust, more)) == TrustPolicy(
        keys=[TrustedKey(name="platform", key=key)], revoked_digests=[digest], substrate={"High": "kubelet"}
    )


def policy(documents: Sequence[Json]) -> TrustPolicy:
    """The trust policy, from where the operator is told to read it."""
    pod = of(documents, "Deployment")["spec"]["template"]["spec"]
    environment = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    [volume] = [volume for volume in pod["volumes"] if "configMap" in volume]
    path = Path(environment["INTERLOCK_OPERATOR_TRUST_POLICY"])
    assert str(path.parent) == mounts[volume["name"]]
    return TrustPolicy.parse(of(documents, "ConfigMap", volume["configMap"]["name"])["data"][path.name].encode())


def test_runners_are_granted_what_the_catalogue_asks_for_in_chosen_namespaces(template: Helm) -> None:
    places = ("shop", "pay", "kube-system", None)
    chosen = ("--set=runners.namespaces={shop,pay,kube-system}", "--set=runners.cluster=true")
    bare = rendered(template)
    found = [d for d in rendered(template, *chosen) if d not in bare]
    books = [item.runbook for item in load_catalogue()]
    wanted = [grant for place in places for book in books if fits(book, place) for grant in grants(book, [place])]
    assert sorted(found, key=yaml.safe_dump) == sorted(wanted, key=yaml.safe_dump)
    one = rendered(template, "--set=runners.namespaces={shop,pay}", "--set=runners.families={restart-deployment}")
    names = {d["metadata"]["name"] for d in one if d not in bare and d["kind"] == "ServiceAccount"}
    assert names == {"restart-deployment.shop", "restart-deployment.pay"}


def test_agents_share_a_database_ask_for_certificates_and_read_rules(template: Helm) -> None:
    alone = of(rendered(template), "Deployment", "interlock-agents")["spec"]
    assert (alone["replicas"], alone["strategy"]) == (1, {"type": "Recreate"})
    settings = (
        "--set=agents.replicas=3,agents.database.secretName=db,agents.rules.configMapName=rules",
        "--set=agents.webhook.tls.secretName=tls,agents.webhook.tls.clientCertificates=true",
    )
    many = of(rendered(template, *settings), "Deployment", "interlock-agents")["spec"]
    assert (many["replicas"], many["strategy"]) == (3, {"type": "RollingUpdate"})
    (container,) = many["template"]["spec"]["containers"]
    given = {one["name"].removeprefix("INTERLOCK_AGENTS_"): one.get("value") for one in container["env"]}
    assert given["TLS_CLIENT_CA_FILE"] == "/etc/interlock/tls/ca.crt"
    assert given["RULES_FILE"] == "/etc/interlock/rules/rules.yaml"
    assert container["readinessProbe"]["httpGet"]["port"] == "health"  # the kubelet has no certificate
    assert {volume["name"] for volume in many["template"]["spec"]["volumes"]} >= {"tls", "rules"}


def test_what_the_prometheus_operator_gets_is_the_plain_rule_file(template: Helm) -> None:
    documents = rendered(template, *MONITORING)
    plain = yaml.safe_load((chart("install") / "monitoring" / "alerts.yaml").read_text())
    assert of(documents, "PrometheusRule", "interlock")["spec"] == plain
    service = of(documents, "Service")
    assert (
        of(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
        <= service["metadata"]["labels"].items()
    )
    dashboard = (chart("install") / "monitoring" / "dashboard.json").read_text()
    assert of(documents, "ConfigMap", "interlock-dashboard")["data"] == {"interlock.json": dashboard}


def pods(admin: Identity, namespace: str) -> list[Json]:
    return list(admin.get(f"/api/v1/namespaces/{namespace}/pods").body["items"])


def test_namespaces_that_enforce_the_strictest_standard_admit_operator_and_agents(
    bare: Lab, helm: Helm, tmp_path: Path
) -> None:
    admin = Identity.load(bare.kubeconfig)
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.post("/api/v1/namespaces", {"metadata": {"name": SYSTEM_NAMESPACE, "labels": strict}})
    helm.install(definitions())
    # On the way in there are no pods yet: what is refused then is told by the ReplicaSet.
    helm.install(interlock((*HA, "--set=operator.enabled=false,agents.enabled=false")))
    for namespace in (AGENTS_NAMESPACE, RUNNERS_NAMESPACE):
        assert admin.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": strict}}).ok
    helm.install(interlock(HA))
    eventually("two operators to be admitted", lambda: len(pods(admin, SYSTEM_NAMESPACE)) == 2)
    eventually("the agents to be admitted", lambda: len(pods(admin, AGENTS_NAMESPACE)) == 1)
    for pod in (*pods(admin, SYSTEM_NAMESPACE), *pods(admin, AGENTS_NAMESPACE)):
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    budget = admin.get(f"/apis/policy/v1/namespaces/{SYSTEM_NAMESPACE}/poddisruptionbudgets/interlock-operator")
    assert budget.body["spec"]["maxUnavailable"] == 1
