"""What controllers would make of a namespace: counts, conditions, endpoints."""

# Objects read better in few long lines.
# fmt: off

from typing import Any

from tests.cases.wild.objects import Obj, condition, owner, stamp, token
from tests.cases.wild.world import World, healthy_endpoints


def settle(world: World) -> World:
    """Fill in every status that follows from the pods."""
    for name in [s.name for s in world.svcs]:
        workload(world, name)
    for service in world.all("Service"):
        if service["spec"].get("selector"):
            endpoints(world, service)
    return world


def is_ready(pod: Obj) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def owned(world: World, parent: Obj) -> list[Obj]:
    uid = parent["metadata"]["uid"]
    return [p for p in world.all("Pod") if p["metadata"]["ownerReferences"][0]["uid"] == uid]


def workload(world: World, name: str) -> None:
    found = [o for kind in ("Deployment", "StatefulSet", "DaemonSet") for o in world.all(kind) if o["metadata"]["name"] == name]
    for made in found:
        {"Deployment": deployment, "StatefulSet": stateful_set, "DaemonSet": daemon_set}[made["kind"]](world, made)


def deployment(world: World, made: Obj) -> None:
    name = made["metadata"]["name"]
    sets = [o for o in world.all("ReplicaSet") if o["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]]
    pods: list[Obj] = []
    for found in sets:
        mine = owned(world, found)
        pods += mine
        found["spec"]["replicas"] = max(len(mine), found["spec"]["replicas"])
        ready = sum(map(is_ready, mine))
        counts: dict[str, Any] = {"replicas": len(mine), "fullyLabeledReplicas": len(mine), "observedGeneration": found["metadata"]["generation"]}
        found["status"] = (found.get("status") or {}) | counts | ({"readyReplicas": ready, "availableReplicas": ready} if ready else {})
    want, ready, newest = made["spec"].get("replicas", 1), sum(map(is_ready, pods)), owned(world, world.current(name))
    missing = max(0, want - ready)
    status: Obj = {"observedGeneration": made["metadata"]["generation"], "replicas": len(pods), "updatedReplicas": len(newest)}
    status |= {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
    status |= {"unavailableReplicas": max(missing, len(pods) - ready)} if missing or len(pods) > ready else {}
    ok = ready >= want - want // 4
    available = ("MinimumReplicasAvailable", "Deployment has minimum availability.") if ok else ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    newest_name = world.current(name)["metadata"]["name"]
    going, why, said = True, "NewReplicaSetAvailable", f'ReplicaSet "{newest_name}" has successfully progressed.'
    if len(sets) > 1 and not (newest and all(map(is_ready, newest))):
        going, why, said = False, "ProgressDeadlineExceeded", f'ReplicaSet "{newest_name}" has timed out progressing.'
    status["conditions"] = [condition("Available", ok, 700, *available), condition("Progressing", going, 240, why, said)]
    status["conditions"] += [c for c in (world.current(name).get("status") or {}).get("conditions", []) if c["type"] == "ReplicaFailure"]
    status["conditions"] += made.get("status", {}).get("conditions", [])
    made["status"] = status


def stateful_set(world: World, made: Obj) -> None:
    pods, want = owned(world, made), made["spec"]["replicas"]
    ready = sum(map(is_ready, pods))
    mark = f"{made['metadata']['name']}-{token(10, made['metadata']['name'])}"
    made["status"] = {
        "observedGeneration": made["metadata"]["generation"], "replicas": len(pods), "readyReplicas": ready,
        "availableReplicas": ready, "currentReplicas": len(pods), "updatedReplicas": len(pods),
        "currentRevision": mark, "updateRevision": mark, "collisionCount": 0,
    } | ({} if want else {"replicas": 0})


def daemon_set(world: World, made: Obj) -> None:
    pods = owned(world, made)
    ready = sum(map(is_ready, pods))
    made["status"] = {
        "desiredNumberScheduled": len(pods), "currentNumberScheduled": len(pods), "numberReady": ready, "numberAvailable": ready,
        "updatedNumberScheduled": len(pods), "numberMisscheduled": 0, "observedGeneration": made["metadata"]["generation"],
    }


def target(pod: Obj, port: Obj) -> int | None:
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for declared in container.get("ports", []):
            if declared.get("name") == wanted:
                return int(declared["containerPort"])
    return None


def endpoints(world: World, service: Obj) -> None:
    """Endpoints and the EndpointSlice of a Service, by its selector and the pods' readiness."""
    name = service["metadata"]["name"]
    groups = healthy_endpoints(world, service)
    numbers = {target(p, port) for port in service["spec"]["ports"] for p in [*groups[0], *groups[1]]} - {None}
    ports = [{"name": port.get("name", ""), "port": number, "protocol": port["protocol"]} for port in service["spec"]["ports"] for number in numbers]

    def reference(pod: Obj) -> Obj:
        return {"kind": "Pod", "namespace": world.ns, "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}

    subset: Obj = {"ports": ports}
    for key, pods in (("addresses", groups[0]), ("notReadyAddresses", groups[1])):
        if pods:
            subset[key] = [{"ip": p["status"]["podIP"], "nodeName": p["spec"].get("nodeName"), "targetRef": reference(p)} for p in pods]
    meta: Obj = {"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": stamp(600)}}
    body: Obj = {"subsets": [subset]} if ports else {}
    world.add("Endpoints", name, meta=meta, **body)
    items = [
        {
            "addresses": [p["status"]["podIP"]], "conditions": {"ready": good, "serving": good, "terminating": False},
            "nodeName": p["spec"].get("nodeName"), "targetRef": reference(p), "zone": "eu-west-1a",
        }
        for good, pods in ((True, groups[0]), (False, groups[1])) for p in pods
    ] if ports else []
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    slice_meta = {"labels": labels, "ownerReferences": owner(service), "generateName": f"{name}-"}
    world.add("EndpointSlice", f"{name}-{token(5, name)}", meta=slice_meta, addressType="IPv4", endpoints=items, ports=ports)
