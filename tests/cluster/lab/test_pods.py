"""Pods on simulated nodes show what a kubelet would show, through the real API server."""

import json

import pytest
from tests.support.waiting import eventually

from interlock.lab import Lab, LabError
from interlock.lab.kubectl import Kubectl, administrator


def kubectl_in(lab: Lab, namespace: str) -> Kubectl:
    admin = administrator(lab)
    return Kubectl(admin.binary, (*admin.arguments, "--namespace", namespace))


def test_a_deployment_becomes_available(lab: Lab, namespace: str) -> None:
    kubectl = kubectl_in(lab, namespace)
    kubectl.run("create", "deployment", "web", "--image=nginx", "--replicas=2")
    kubectl.run("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")


def test_logs_of_this_run_and_of_the_one_before(lab: Lab, namespace: str) -> None:
    kubectl = kubectl_in(lab, namespace)
    kubectl.run("run", "crash", "--image=busybox", "--command", "--", "sh", "-c", "echo boom; exit 3")
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    eventually("it restarted twice", lambda: int(kubectl.run("get", "pod", "crash", "-o", restarts) or 0) >= 2)
    assert kubectl.run("logs", "crash", "--previous") == "boom\n"
    eventually("this run wrote", lambda: kubectl.run("logs", "crash") == "boom\n")
    assert kubectl.run("logs", "crash", "--previous", "--timestamps").startswith("20")
    with pytest.raises(LabError, match="only logs can be read"):
        kubectl.run("exec", "crash", "--", "true")


def test_the_same_pod_recovers_when_its_secret_appears(lab: Lab, namespace: str) -> None:
    kubectl = kubectl_in(lab, namespace)
    spec = {"containers": [{"name": "c", "image": "nginx", "envFrom": [{"secretRef": {"name": "late"}}]}]}
    kubectl.run("run", "p", "--image=nginx", f"--overrides={json.dumps({'spec': spec})}")
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting}"
    eventually("it waits", lambda: "CreateContainerConfigError" in kubectl.run("get", "pod", "p", "-o", waiting))
    assert json.loads(kubectl.run("get", "pod", "p", "-o", waiting))["message"] == 'secret "late" not found'
    kubectl.run("create", "secret", "generic", "late", "--from-literal=k=v")
    kubectl.run("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    assert kubectl.run("get", "pod", "p", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"


def test_repeated_events_are_counted_not_repeated(lab: Lab, namespace: str) -> None:
    kubectl = kubectl_in(lab, namespace)
    spec = {"containers": [{"name": "c", "image": "nginx", "envFrom": [{"secretRef": {"name": "never"}}]}]}
    kubectl.run("run", "p", "--image=nginx", f"--overrides={json.dumps({'spec': spec})}")
    query = ("get", "events", "--field-selector=reason=Failed", "-o", "jsonpath={.items[*].count}")
    eventually("the event was counted up", lambda: kubectl.run(*query) >= "3")
    assert len(kubectl.run(*query).split()) == 1


def test_a_deleted_pod_goes_and_a_job_completes(lab: Lab, namespace: str) -> None:
    kubectl = kubectl_in(lab, namespace)
    kubectl.run("create", "job", "once", "--image=worker")
    kubectl.run("wait", "job/once", "--for=condition=Complete", "--timeout=60s")
    kubectl.run("run", "p", "--image=nginx")
    kubectl.run("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    kubectl.run("delete", "pod", "p", "--timeout=60s")


def test_personas_are_who_they_say(lab: Lab, namespace: str) -> None:
    alice = lab.client_certificate_kubeconfig("alice", ["approvers"])
    person = Kubectl(lab.kubectl, (f"--kubeconfig={alice}",))
    who = json.loads(person.run("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert (who["username"], "approvers" in who["groups"]) == ("alice", True)
    with pytest.raises(LabError, match="forbidden"):
        person.run("get", "pods", "-n", namespace)


def test_tokens_are_audited_without_their_content(lab: Lab, namespace: str) -> None:
    token = kubectl_in(lab, namespace).run("create", "token", "default").strip()
    lines = [json.loads(line) for line in lab.audit_log.read_text().splitlines() if f"/{namespace}/" in line]
    [minted] = [line for line in lines if line["objectRef"].get("subresource") == "token"]
    assert minted["level"] == "Request"
    assert token not in lab.audit_log.read_text()
    who = Kubectl(lab.kubectl, (f"--kubeconfig={lab.token_kubeconfig(token, 'runner')}",)).run("auth", "whoami")
    assert f"system:serviceaccount:{namespace}:default" in who
