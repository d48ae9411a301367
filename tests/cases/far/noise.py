"""What every workload of the two applications has beside it: volumes, and the noise of a good day."""

from tests.cases.builder import Json, at
from tests.cases.far.ground import Estate
from tests.cases.far.tongues import number

NODES = ("ip-10-40-1-17", "ip-10-40-2-88", "ip-10-40-3-140", "ip-10-40-3-201")


def stored(c: Estate, name: str) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "40Gi"}}}
    for index in range(c.count(name)):
        claim = {
            "metadata": {"name": f"data-{name}-{index}", "labels": c.selects(name)},
            "spec": {**spec, "volumeName": f"pvc-{name}-{index}"},
            "status": {"phase": "Bound", "capacity": {"storage": "40Gi"}},
        }
        c.put(c.namespace, "persistentvolumeclaims", claim)
        ref = {"namespace": c.namespace, "name": f"data-{name}-{index}"}
        c.put(
            None,
            "persistentvolumes",
            {
                "metadata": {"name": f"pvc-{name}-{index}"},
                "spec": {
                    "capacity": {"storage": "40Gi"},
                    "storageClassName": "gp3",
                    "claimRef": ref,
                    "accessModes": ["ReadWriteOnce"],
                    "csi": {"driver": "ebs.csi.aws.com"},
                },
                "status": {"phase": "Bound"},
            },
        )
    c.put(
        None,
        "storageclasses",
        {"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer"},
    )
    body = c.get("statefulsets", name)["spec"]
    body["template"]["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}-0"}}]
    body["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    body["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": spec}]


def noise(c: Estate, names: tuple[str, str, str]) -> None:
    """What is always there: an old restart, a probe that failed once, a rollout and an autoscaler that work."""
    restarted, probed, scaled = names
    old: Json = {"exitCode": 143, "reason": "Error", "startedAt": at(400_000), "finishedAt": at(260_000)}

    def once(index: int) -> Json:
        since = {"running": {"startedAt": at(259_990)}}
        return {
            "ready": True,
            "restartCount": 1 - min(index, 1),
            "state": since,
            "lastState": {"terminated": old} if index == 0 else {},
        }

    c.state(restarted, once)
    pod = c.pod_name(probed, 0)
    path = f"spec.containers{{{probed}}}"
    c.event(
        "Pod",
        pod,
        "Unhealthy",
        "Readiness probe failed: command timed out"
        if probed == "notify"
        else 'Readiness probe failed: Get "http://10.244.1.9:4001/ready": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        path=path,
        ago=2900,
        count=1,
    )
    c.hpa(scaled, 2, 8, c.count(scaled), 41)
    c.event(
        "HorizontalPodAutoscaler",
        scaled,
        "SuccessfulRescale",
        f"New size: {c.count(scaled)}; reason: All metrics below target",
        ago=2100,
        type_="Normal",
        count=1,
    )
    c.event(
        "Pod",
        c.pod_name(scaled, 1),
        "Pulled",
        "Container image already present on machine",
        ago=2095,
        type_="Normal",
        count=1,
    )
    c.event(
        "Node",
        NODES[number(c.namespace, 4)],
        "NodeNotSchedulable",
        "Node status is now: NodeNotSchedulable",
        namespace="default",
        ago=50_000,
        type_="Normal",
        count=1,
    )
    c.event(
        "Node",
        NODES[number(c.namespace, 4)],
        "NodeSchedulable",
        "Node status is now: NodeSchedulable",
        namespace="default",
        ago=49_000,
        type_="Normal",
        count=1,
    )
    job = {
        "metadata": {
            "name": "nightly-export-29530080",
            "ownerReferences": [{"kind": "CronJob", "name": "nightly-export", "controller": True}],
            "creationTimestamp": at(36_000),
        },
        "spec": {"backoffLimit": 3},
        "status": {
            "succeeded": 1,
            "conditions": [{"type": "Complete", "status": "True"}],
            "completionTime": at(35_400),
        },
    }
    c.put(c.namespace, "jobs", job)
    c.put(
        c.namespace,
        "cronjobs",
        {
            "metadata": {"name": "nightly-export"},
            "spec": {"schedule": "0 2 * * *", "suspend": False},
            "status": {"lastScheduleTime": at(36_000), "lastSuccessfulTime": at(35_400)},
        },
    )
