"""Mechanisms of data: databases, volumes and claims, certificates, rights."""

from typing import Any

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, crashing, waiting
from tests.cases.library import Expected, mechanism


def _says(c: Cluster, name: str, words: str, times: int = 5) -> None:
    c.log(name, "\n".join(f"2026-03-01T11:5{n}:00Z ERROR {words}" for n in range(times)))


@mechanism
def database_credentials(c: Cluster, a: App) -> Expected:
    c.state(a.middle, crashing(1))
    c.log(a.middle, 'FATAL: password authentication failed for user "app"', previous=True)
    return Expected("workload.database.credentials-invalid", "Deployment", a.middle)


@mechanism
def database_name(c: Cluster, a: App) -> Expected:
    c.state(a.middle, crashing(1))
    c.log(a.middle, 'FATAL: database "mian" does not exist', previous=True)
    return Expected("workload.database.name-wrong", "Deployment", a.middle)


@mechanism
def database_connections(c: Cluster, a: App) -> Expected:
    _says(c, a.middle, "FATAL: sorry, too many clients already")
    c.alert("HighErrorRate", service=a.middle)
    return Expected("database.connections.exhausted", "Deployment", a.store)


@mechanism
def database_read_only(c: Cluster, a: App) -> Expected:
    _says(c, a.middle, "cannot execute INSERT in a read-only transaction")
    c.alert("HighErrorRate", service=a.middle)
    return Expected("database.mode.read-only", "Deployment", a.store)


@mechanism
def database_locks(c: Cluster, a: App) -> Expected:
    _says(c, a.store, "deadlock detected: process 41 waits for ShareLock on transaction 91")
    c.alert("HighErrorRate", service=a.middle)
    return Expected("database.locks.contended", "Deployment", a.store)


@mechanism
def database_disk(c: Cluster, a: App) -> Expected:
    c.state(a.store, crashing(1))
    c.log(a.store, "PANIC: could not write to file: No space left on device", previous=True)
    return Expected("database.storage.full", "Deployment", a.store)


def _claim(c: Cluster, a: App, **spec: Any) -> Json:
    body = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "local",
        "resources": {"requests": {"storage": "10Gi"}},
        **spec,
    }
    c.put(None, "storageclasses", {"metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner"})
    claim = c.put(
        c.namespace,
        "persistentvolumeclaims",
        {"metadata": {"name": "data"}, "spec": body, "status": {"phase": "Pending"}},
    )
    c.spec(a.store)["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    c.container(a.store)["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    c.state(a.store, lambda i: None)
    words = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[a.store] = edit
    return claim


def _volume(c: Cluster, phase: str = "Available", **spec: Any) -> None:
    body = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}, "storageClassName": "local", **spec}
    labels = {"tier": "fast"}
    c.put(
        None,
        "persistentvolumes",
        {"metadata": {"name": "disk-1", "labels": labels}, "spec": body, "status": {"phase": phase}},
    )


@mechanism
def claim_class(c: Cluster, a: App) -> Expected:
    _claim(c, a, storageClassName="premium")
    c.event("PersistentVolumeClaim", "data", "ProvisioningFailed", 'storageclass.storage.k8s.io "premium" not found')
    return Expected("storage.class.not-found", "PersistentVolumeClaim", "data", ("storage.claim.class-mismatch",))


@mechanism
def claim_class_of_no_volume(c: Cluster, a: App) -> Expected:
    _claim(c, a)
    c.put(None, "storageclasses", {"metadata": {"name": "fast"}, "provisioner": "kubernetes.io/no-provisioner"})
    _volume(c, storageClassName="fast")
    return Expected("storage.claim.class-mismatch", "PersistentVolumeClaim", "data")


@mechanism
def claim_capacity(c: Cluster, a: App) -> Expected:
    _claim(c, a, resources={"requests": {"storage": "500Gi"}})
    _volume(c)
    return Expected("storage.claim.capacity-mismatch", "PersistentVolumeClaim", "data")


@mechanism
def claim_access_mode(c: Cluster, a: App) -> Expected:
    _claim(c, a, accessModes=["ReadWriteMany"])
    _volume(c)
    return Expected("storage.claim.access-mode-mismatch", "PersistentVolumeClaim", "data")


@mechanism
def claim_selector(c: Cluster, a: App) -> Expected:
    _claim(c, a, selector={"matchLabels": {"tier": "slow"}})
    _volume(c)
    return Expected("storage.claim.selector-mismatch", "PersistentVolumeClaim", "data")


@mechanism
def volume_released(c: Cluster, a: App) -> Expected:
    _claim(c, a)
    _volume(c, "Released", claimRef={"namespace": c.namespace, "name": "data"})
    return Expected("storage.volume.released", "PersistentVolume", "disk-1")


@mechanism
def provisioner_silent(c: Cluster, a: App) -> Expected:
    _claim(c, a, storageClassName="cloud")
    c.put(None, "storageclasses", {"metadata": {"name": "cloud"}, "provisioner": "disk.example.com"})
    words = "Waiting for a volume to be created either by the external provisioner 'disk.example.com' or manually"
    c.event("PersistentVolumeClaim", "data", "ExternalProvisioning", words, type_="Normal")
    return Expected("storage.provisioner.down", "StorageClass", "cloud")


@mechanism
def claim_missing(c: Cluster, a: App) -> Expected:
    c.spec(a.leaf)["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "archive"}}]
    c.state(a.leaf, lambda i: None)
    words = 'persistentvolumeclaim "archive" not found'

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[a.leaf] = edit
    return Expected("workload.volume.not-found", "PersistentVolumeClaim", "archive")


@mechanism
def volume_permission(c: Cluster, a: App) -> Expected:
    c.container(a.store)["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/data"}]
    c.spec(a.store)["volumes"] = [{"name": "data", "emptyDir": {}}]
    c.state(a.store, crashing(1))
    c.log(
        a.store,
        'initdb: error: could not change permissions of directory "/var/lib/data/main": Permission denied',
        previous=True,
    )
    return Expected("workload.volume.permission-denied", "Deployment", a.store)


@mechanism
def volume_attached_twice(c: Cluster, a: App) -> Expected:
    c.state(a.store, waiting("ContainerCreating"))
    words = 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another'
    c.event("Pod", c.pod_name(a.store), "FailedAttachVolume", words)
    return Expected("workload.volume.multi-attach", "Deployment", a.store)


@mechanism
def volume_mount_fails(c: Cluster, a: App) -> Expected:
    c.state(a.store, waiting("ContainerCreating"))
    words = 'MountVolume.SetUp failed for volume "data" : hostPath type check failed: /mnt/missing is not a directory'
    c.event("Pod", c.pod_name(a.store), "FailedMount", words)
    return Expected("workload.volume.not-found", "Deployment", a.store)


@mechanism
def certificate_expired(c: Cluster, a: App) -> Expected:
    words = f"call {a.leaf}: tls: failed to verify certificate: x509: certificate has expired or is not yet valid"
    _says(c, a.middle, words)
    c.alert("HighErrorRate", service=a.middle)
    return Expected("certificate.expired", "Deployment", a.leaf)


def _forbidden(c: Cluster, a: App) -> None:
    words = f'pods is forbidden: User "system:serviceaccount:{c.namespace}:reader" cannot list resource "pods" in API group ""'
    c.spec(a.leaf)["serviceAccountName"] = "reader"
    c.put(c.namespace, "serviceaccounts", {"metadata": {"name": "reader"}})
    c.objects.setdefault((c.namespace, "rolebindings"), {})
    _says(c, a.leaf, words)
    c.alert("HighErrorRate", service=a.leaf)


@mechanism
def right_not_bound(c: Cluster, a: App) -> Expected:
    _forbidden(c, a)
    return Expected("rbac.binding.missing", "ServiceAccount", "reader")


@mechanism
def role_too_narrow(c: Cluster, a: App) -> Expected:
    _forbidden(c, a)
    subjects = [{"kind": "ServiceAccount", "name": "reader"}]
    c.put(
        c.namespace,
        "rolebindings",
        {"metadata": {"name": "reads"}, "subjects": subjects, "roleRef": {"kind": "Role", "name": "watch"}},
    )
    return Expected("rbac.role.too-narrow", "Role", "watch")


@mechanism
def config_drifted(c: Cluster, a: App) -> Expected:
    c.put(c.namespace, "configmaps", {"metadata": {"name": "switches"}, "data": {"checkout": "on", "limits": "soft"}})
    c.container(a.leaf)["envFrom"] = [{"configMapRef": {"name": "switches"}}]
    c.manifests()
    c.get("configmaps", "switches")["data"]["checkout"] = "fail-10"
    _says(c, a.leaf, "error: charge was rejected")
    c.alert("HighErrorRate", service=a.leaf)
    return Expected("workload.config.changed-and-broken", "ConfigMap", "switches")
