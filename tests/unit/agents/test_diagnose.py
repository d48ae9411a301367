"""Each mechanism: its own case, the healthy control, and what looks like it but is not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.agents.scenes import (
    NEW,
    NOW,
    OLD,
    Json,
    at,
    container,
    crashing,
    event,
    log,
    look,
    ready,
    running_unready,
    template,
    unschedulable,
    waiting,
)

from interlock.agents.diagnose import Diagnosis, diagnose
from interlock.agents.evidence import Evidence, Item, Missing
from interlock.agents.model import ObjectRef

GOOD = [ready("web-a"), ready("web-b")]
BROKEN_IMAGE = template(container(image="registry.example/shop/web:1.0.1-typo"))
NEXT = template(container(image="registry.example/shop/web:1.1.0"))


def judged(evidence: Evidence) -> Diagnosis:
    return diagnose(evidence, 0.7)


def verdict(evidence: Evidence) -> str:
    return judged(evidence).verdict


def test_all_well_is_said_as_such() -> None:
    assert verdict(look(pods=GOOD)) == "none.recovered"


@pytest.mark.parametrize("kind", ["pods", "replica-sets"])
def test_what_was_not_seen_is_not_well(kind: Any) -> None:
    gap = Missing(kind=kind, source="x", reason="time-out")
    assert verdict(look(pods=GOOD, missing=[gap])) == "unknown.insufficient-evidence"


def test_a_crash_loop_that_is_ready_for_a_moment_is_not_well() -> None:
    pod = ready("web-b")
    ended = {"exitCode": 1, "reason": "Error", "startedAt": at(40), "finishedAt": at(30)}
    pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
    assert verdict(look(pods=[GOOD[0], pod])) == "unknown.insufficient-evidence"


def test_one_pod_short_is_not_well() -> None:
    assert verdict(look(pods=GOOD[:1])) == "unknown.insufficient-evidence"


PULLS = [
    ("rpc error: code = NotFound desc = failed to pull: registry.example/shop/web:x: not found", "not-found"),
    ("manifest for registry.example/shop/web:x not found: manifest unknown", "not-found"),
    ("dial tcp: lookup registry.example on 10.96.0.10:53: no such host", "registry-unresolvable"),
    ("failed to authorize: unexpected status: 401 Unauthorized", "unauthorized"),
    ("toomanyrequests: You have reached your pull rate limit", "rate-limited"),
    ("dial tcp 192.0.2.7:443: i/o timeout", "registry-unreachable"),
    ("no match for platform in manifest: not found", "architecture-mismatch"),
]


@pytest.mark.parametrize(("words", "name"), PULLS, ids=[name + str(n) for n, (_, name) in enumerate(PULLS)])
def test_why_an_image_cannot_be_pulled(words: str, name: str) -> None:
    pod = waiting("web-c", "ImagePullBackOff", "Back-off pulling image", made_from=BROKEN_IMAGE)
    said = event("Failed", f'Failed to pull image "registry.example/shop/web:x": {words}', "web-c")
    diagnosis = judged(look(pods=[*GOOD, pod], new=BROKEN_IMAGE, events=[said]))
    assert diagnosis.verdict == f"workload.image.{name}"
    best = diagnosis.best
    assert best is not None
    assert best.introduced == "yes"
    assert any("1.0.1-typo" in quote.excerpt for quote in best.quotes)


def test_an_image_that_was_always_so_was_not_brought_by_the_change() -> None:
    new = template(container(env=[{"name": "PAYMENTS_URL", "value": "http://elsewhere"}]))
    pods = [*GOOD, waiting("web-c", "ImagePullBackOff", "not found", made_from=new)]
    best = judged(look(pods=pods, new=new)).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.image.not-found", "no")


def test_a_registry_that_hides_what_it_has_is_only_the_family() -> None:
    words = "pull access denied, repository does not exist or may require authorization"
    pods = [*GOOD, waiting("web-c", "ErrImagePull", words, made_from=BROKEN_IMAGE)]
    assert verdict(look(pods=pods, new=BROKEN_IMAGE)) == "workload.image"


def test_a_pull_without_any_reason_is_still_about_the_image() -> None:
    pods = [*GOOD, waiting("web-c", "ImagePullBackOff", made_from=BROKEN_IMAGE)]
    assert verdict(look(pods=pods, new=BROKEN_IMAGE)) == "workload.image"


def test_an_old_event_about_another_pod_is_not_about_this_one() -> None:
    stray = event("Failed", 'Failed to pull image "x": not found', "web-gone")
    assert verdict(look(pods=GOOD, events=[stray])) == "none.recovered"


def test_a_crash_since_the_change_beside_a_revision_that_works() -> None:
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=NEXT)], new=NEXT, logs=[log("web-c", "panic: index 7")])
    best = judged(evidence).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.crash.after-change", "yes")
    assert best.confidence >= 0.9
    assert any("panic: index 7" in quote.excerpt for quote in best.quotes)


def test_a_crash_without_a_change_blames_no_change() -> None:
    evidence = look(pods=[crashing("web-a", revision=OLD)], logs=[log("web-a", "boom")])
    assert verdict(evidence) == "unknown.insufficient-evidence"
    assert judged(evidence).hypotheses[0].cause == "workload.crash.application-error"


HERRINGS: dict[str, Json] = {
    "both revisions crash": {"pods": [crashing("web-a", revision=OLD), crashing("web-c", made_from=NEXT)]},
    "it ran for an hour before": {"pods": [*GOOD, crashing("web-c", ran=3600, made_from=NEXT)]},
    "the change is two days old": {"pods": [crashing("web-c", made_from=NEXT)], "new_age": 180_000},
    "others of the revision are ready": {"pods": [ready("web-b", NEW, NEXT), crashing("web-c", made_from=NEXT)]},
}


@pytest.mark.parametrize("case", HERRINGS.values(), ids=HERRINGS)
def test_a_change_that_did_not_do_it_is_not_blamed(case: Json) -> None:
    diagnosis = judged(look(new=NEXT, **case))
    assert diagnosis.verdict == "unknown.insufficient-evidence"
    assert diagnosis.hypotheses[0].against


def test_a_restart_is_no_change() -> None:
    restarted = template()
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-03-01T11:00:00Z"}
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=restarted)], new=restarted)
    assert verdict(evidence) == "unknown.insufficient-evidence"


@pytest.mark.parametrize(("code", "name"), [(127, "command-not-found"), (126, "entrypoint-denied")])
def test_a_command_that_cannot_be_run(code: int, name: str) -> None:
    new = template(container(command=["/bin/serve"]))
    best = judged(look(pods=[*GOOD, crashing("web-c", code, made_from=new)], new=new)).best
    assert best is not None
    assert (best.cause, best.introduced) == (f"workload.crash.{name}", "yes")


def test_memory_that_was_lowered_under_the_need() -> None:
    new = template(container(resources={"limits": {"memory": "64Mi"}}))
    best = judged(look(pods=[*GOOD, crashing("web-c", 137, "OOMKilled", made_from=new)], new=new)).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.memory.limit-too-low", "yes")


def test_memory_without_a_change_of_the_limit_is_not_the_limits_fault() -> None:
    best = judged(look(pods=[crashing("web-a", 137, "OOMKilled", revision=OLD)])).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.memory.oom-killed", "no")


def test_a_raised_limit_is_not_called_lowered() -> None:
    new = template(container(resources={"limits": {"memory": "512Mi"}}, image="registry.example/shop/web:2.0.0"))
    best = judged(look(pods=[*GOOD, crashing("web-c", 137, "OOMKilled", made_from=new)], new=new)).best
    assert best is not None
    assert best.cause == "workload.memory.oom-killed"


def _reads(kind: str, name: str, key: str) -> Json:
    ref = {"secretKeyRef" if kind == "Secret" else "configMapKeyRef": {"name": name, "key": key}}
    return template(container(env=[*container()["env"], {"name": "EXTRA", "valueFrom": ref}]))


MISSING = [
    ("Secret", 'secret "keys" not found', "workload.secret.not-found"),
    ("Secret", "couldn't find key extra in Secret shop/keys", "workload.secret.key-missing"),
    ("ConfigMap", 'configmap "keys" not found', "workload.config.config-map-not-found"),
    ("ConfigMap", "couldn't find key extra in ConfigMap shop/keys", "workload.config.key-missing"),
]


@pytest.mark.parametrize(("kind", "words", "cause"), MISSING, ids=[cause for _, _, cause in MISSING])
def test_a_new_reference_to_what_is_not_there(kind: str, words: str, cause: str) -> None:
    new = _reads(kind, "keys", "extra")
    pods = [*GOOD, waiting("web-c", "CreateContainerConfigError", words, made_from=new)]
    best = judged(look(pods=pods, new=new)).best
    assert best is not None
    assert (best.cause, best.object.kind, best.introduced) == (cause, "Deployment", "yes")


@pytest.mark.parametrize(("kind", "words", "cause"), MISSING, ids=[cause for _, _, cause in MISSING])
def test_an_old_reference_to_what_was_taken_away(kind: str, words: str, cause: str) -> None:
    old = _reads(kind, "keys", "extra")
    new = template(container(env=old["spec"]["containers"][0]["env"], image="registry.example/shop/web:1.1.0"))
    pods = [waiting("web-c", "CreateContainerConfigError", words, made_from=new)]
    best = judged(look(pods=pods, old=old, new=new)).best
    assert best is not None
    assert best.object == ObjectRef(kind=kind, namespace="shop", name="keys")
    assert (best.cause, best.introduced) == (cause, "no")


def test_a_config_map_that_is_there_again_is_no_longer_missing() -> None:
    pods = [waiting("web-c", "CreateContainerConfigError", 'configmap "keys" not found', revision=OLD)]
    evidence = look(pods=pods, extra=[("config-maps", {"keys": ["extra"]})])
    assert verdict(evidence) == "unknown.insufficient-evidence"


def test_a_setting_that_the_change_removed() -> None:
    new = template(container(env=None))
    said = log("web-c", "INFO starting\nFATAL config: PAYMENTS_URL is not set")
    best = judged(look(pods=[*GOOD, crashing("web-c", made_from=new)], new=new, logs=[said])).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.env.missing", "yes")
    assert best.confidence >= 0.9


def test_a_setting_that_only_the_new_version_asks_for() -> None:
    said = log("web-c", "Traceback (most recent call last):\nKeyError: 'FRAUD_API_URL'")
    best = judged(look(pods=[*GOOD, crashing("web-c", made_from=NEXT)], new=NEXT, logs=[said])).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.env.missing", "yes")


def test_a_log_that_names_a_setting_which_is_set_is_not_believed() -> None:
    said = log("web-c", "FATAL: PAYMENTS_URL is not set")
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=NEXT)], new=NEXT, logs=[said])
    assert verdict(evidence) == "workload.crash.after-change"


def _probing(**probe: Any) -> Json:
    return template(container(readinessProbe={"timeoutSeconds": 1, **probe}))


REFUSED = 'Get "http://10.0.0.9:9999/readyz": dial tcp 10.0.0.9:9999: connect: connection refused'


def _unready(new: Json | None, words: str, *, probe: str = "Readiness", **fields: Any) -> Evidence:
    pod = running_unready("web-c", made_from=new or template(), **fields)
    said = event("Unhealthy", f"{probe} probe failed: {words}", "web-c")
    return look(pods=[*GOOD, pod], new=new or NEXT, events=[said])


def test_a_readiness_probe_that_moved_to_another_port() -> None:
    best = judged(_unready(_probing(httpGet={"path": "/readyz", "port": 9999}), REFUSED)).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.probe.readiness-port-wrong", "yes")


def test_a_readiness_probe_that_moved_to_another_path() -> None:
    new = _probing(httpGet={"path": "/ready", "port": "http"})
    best = judged(_unready(new, "HTTP probe failed with statuscode: 404")).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.probe.readiness-path-wrong", "yes")


def test_a_liveness_probe_that_kills_what_works() -> None:
    new = template(container(livenessProbe={"httpGet": {"path": "/healthz", "port": 9090}}))
    evidence = _unready(new, REFUSED.replace("9999", "9090"), probe="Liveness", restarts=3)
    best = judged(evidence).best
    assert best is not None
    assert (best.cause, best.introduced) == ("workload.probe.liveness-port-wrong", "yes")


def test_a_program_that_answers_500_is_not_its_probes_fault() -> None:
    diagnosis = judged(_unready(None, "HTTP probe failed with statuscode: 500"))
    assert not diagnosis.verdict.startswith("workload.probe")


@pytest.mark.parametrize(("seconds", "sure"), [(4, False), (40, True)])
def test_a_program_that_has_only_just_begun_may_yet_come_to_listen(seconds: int, sure: bool) -> None:
    pod = running_unready("web-c", made_from=NEXT)
    said = event("Unhealthy", f"Readiness probe failed: {REFUSED.replace('9999', '8080')}", "web-c")
    began = datetime.fromisoformat(said["last"]) - timedelta(seconds=seconds)
    for status in pod["status"]["containerStatuses"]:
        status["state"] = {"running": {"startedAt": began.isoformat()}}
    best = judged(look(pods=[*GOOD, pod], new=NEXT, events=[said])).best
    assert (best is not None and best.cause == "workload.port.not-listening") == sure


def test_a_crashing_program_is_not_its_probes_fault() -> None:
    said = event("Unhealthy", f"Readiness probe failed: {REFUSED}", "web-c")
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=NEXT)], new=NEXT, events=[said])
    assert verdict(evidence) == "workload.crash.after-change"


FITS_NONE = "0/3 nodes are available: {}. preemption: 0/3 nodes are available: 3 Preemption is not helpful."
SCHEDULING = [
    (
        {"nodeSelector": {"disk": "nvme"}},
        "3 node(s) didn't match Pod's node affinity/selector",
        "node-selector.mismatch",
    ),
    ({}, "3 node(s) had untolerated taint {dedicated: gpu}", "taint.untolerated"),
    ({}, "3 Insufficient cpu", "capacity.cpu-insufficient"),
    ({}, "3 node(s) didn't match pod anti-affinity rules", "pod-anti-affinity.conflict"),
    ({}, "3 Too many pods", "capacity.pods-exhausted"),
]


@pytest.mark.parametrize(("spec", "words", "cause"), SCHEDULING, ids=[c for _, _, c in SCHEDULING])
def test_why_no_node_takes_a_pod(spec: Json, words: str, cause: str) -> None:
    new = template(container(image="registry.example/shop/web:1.1.0"), **spec)
    pods = [*GOOD, unschedulable("web-c", FITS_NONE.format(words), made_from=new)]
    best = judged(look(pods=pods, new=new)).best
    assert best is not None
    assert best.cause == f"scheduling.{cause}"
    assert best.introduced == ("yes" if spec else "no")


def test_many_reasons_none_of_which_excludes_all_nodes_are_not_sure() -> None:
    words = "1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}, 1 Too many pods"
    assert verdict(look(pods=[*GOOD, unschedulable("web-c", FITS_NONE.format(words))], new=NEXT)).startswith("unknown.")


def test_a_quota_is_what_must_be_changed() -> None:
    words = 'pods "web-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
    best = judged(look(pods=GOOD, replicas=4, conditions=[failure])).best
    assert best is not None
    assert best.cause == "namespace.quota.pods-exceeded"
    assert best.object == ObjectRef(kind="ResourceQuota", namespace="shop", name="team")


@pytest.mark.parametrize(("used", "expected"), [("2", "namespace.quota.pods-exceeded"), ("1", "unknown")])
def test_a_quota_that_is_asked_about_itself(used: str, expected: str) -> None:
    target = ObjectRef(kind="ResourceQuota", namespace="shop", name="team")
    content = {"metadata": {"name": "team"}, "status": {"hard": {"pods": "2", "services": "9"}, "used": {"pods": used}}}
    item = Item(id="E1", kind="target", source=str(target), collected_at=NOW, content=content)
    evidence = Evidence(target=target, collected_at=NOW, items=(item,))
    assert verdict(evidence).startswith(expected)


def test_a_refusal_that_is_over_is_over() -> None:
    said = event("FailedCreate", "Error creating: pods is forbidden: exceeded quota: team", "web-x")
    assert verdict(look(pods=GOOD, events=[said])) == "none.recovered"


def test_zero_replicas_that_were_meant_to_be_two() -> None:
    best = judged(look(pods=[], replicas=0, extra=[("declared", {"replicas": 2})])).best
    assert best is not None
    assert best.cause == "workload.replicas.zero"


def test_zero_replicas_that_nobody_calls_are_not_sure() -> None:
    assert verdict(look(pods=[], replicas=0)) == "unknown.insufficient-evidence"


def test_stuck_is_said_only_where_nothing_explains_it() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    alone = look(pods=[*GOOD, running_unready("web-c", made_from=NEXT)], new=NEXT, conditions=[stuck])
    assert verdict(alone) == "workload.rollout.bad-revision"
    pod = waiting("web-c", "ImagePullBackOff", "not found", made_from=BROKEN_IMAGE)
    explained = judged(look(pods=[*GOOD, pod], new=BROKEN_IMAGE, conditions=[stuck]))
    assert explained.verdict == "workload.image.not-found"
    assert any("explains it" in why for h in explained.hypotheses[1:] for why in h.against)


def test_two_faults_that_do_not_explain_each_other_are_for_a_person() -> None:
    words = 'pods "web-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3'
    failure = {"type": "ReplicaFailure", "status": "True", "message": words}
    pods = [*GOOD, waiting("web-c", "ImagePullBackOff", "not found", made_from=BROKEN_IMAGE)]
    diagnosis = judged(look(pods=pods, new=BROKEN_IMAGE, replicas=6, conditions=[failure]))
    assert diagnosis.verdict == "unknown.contradictory-evidence"
    assert diagnosis.best is None


def test_every_quote_is_of_evidence_that_exists() -> None:
    evidence = look(pods=[*GOOD, crashing("web-c", made_from=NEXT)], new=NEXT, logs=[log("web-c", "boom")])
    known = {item.id for item in evidence.items}
    assert all(quote.id in known for hypothesis in judged(evidence).hypotheses for quote in hypothesis.quotes)
