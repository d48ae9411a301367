"""What was collected of an incident: each way leaves something else out."""

# Objects read better in few long lines.
# fmt: off

import json
from collections.abc import Iterable
from pathlib import Path

from tests.cases.wild.objects import Obj, dump, stamp
from tests.cases.wild.world import PLURALS, World

DUMPED = {"Node", "Pod", "Event", "Service", "Deployment", "ReplicaSet", "DaemonSet"}
SEEN = {  # collection -> kinds of namespaced objects, None for all
    "dump": None,
    "strict": DUMPED,
    "signals": None,
    "no-events": None,
    "no-logs": None,
    "no-sets": None,
}


def write(world: World, out: Path, style: str, named: bool = True, drop: Iterable[str] = (), signals: Iterable[str] = ()) -> None:
    """One snapshot. ``signals``: which of alerts, patterns, dependencies, connectivity, metrics, changes, manifests."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "snapshot.json").write_text(json.dumps({"collectedAt": stamp(0), "namespace": world.ns if named else None}))
    gone = set(drop) | {"no-events": {"Event"}, "no-sets": {"ReplicaSet"}}.get(style, set())
    kept = [o for o in world.objs if o["kind"] not in gone and (SEEN[style] is None or o["kind"] in (SEEN[style] or ()))]
    if style not in ("dump", "strict"):
        kept = [o for o in kept if o["metadata"].get("namespace") in (world.ns, None)]
    objects(kept, out, world, gone, style)
    if style not in ("no-logs", "signals"):
        logs(world, out)
    wanted = set(signals)
    side(world, out, wanted)


def objects(kept: list[Obj], out: Path, world: World, gone: set[str], style: str) -> None:
    groups: dict[tuple[str | None, str], list[Obj]] = {}
    for obj in kept:
        groups.setdefault((obj["metadata"].get("namespace"), obj["kind"]), []).append(obj)
    for kind in DUMPED - {"Node"} - gone:  # asked for, also where there is none
        groups.setdefault((world.ns, kind), [])
    for (ns, kind), items in groups.items():
        place = out / (ns or "")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{PLURALS[kind]}.json").write_text(dump(items, kind))
    if style == "strict":
        (out / world.ns / "replication-controllers.json").write_text(dump([], "ReplicationController"))


def logs(world: World, out: Path) -> None:
    files: dict[Path, list[str]] = {}
    for (ns, pod, container, previous), lines in world.logs.items():
        path = out / ns / pod / ("logs-previous.txt" if previous else "logs.txt")
        head = f"==== START logs for container {container} of pod {ns}/{pod} ===="
        files.setdefault(path, []).extend([head, *lines, head.replace("START", "END")])
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(text) + "\n")


def side(world: World, out: Path, wanted: set[str]) -> None:
    written: dict[str, object] = {}
    if "alerts" in wanted:
        written["alerts.json"] = {"version": "4", "receiver": "interlock", "status": "firing", "alerts": world.alerts}
    if "patterns" in wanted:
        written["log-patterns.json"] = [folded(world, s.name) for s in world.svcs]
    if "dependencies" in wanted:
        written["service-dependencies.json"] = [
            {"namespace": world.ns, "service": s.name, "calls": list(s.calls), "calledBy": world.callers(s.name)} for s in world.svcs
        ]
    if "connectivity" in wanted:
        written["connectivity.json"] = connectivity(world)
    if "changes" in wanted:
        written["changes.json"] = sorted(world.changes, key=lambda c: str(c["at"]), reverse=True)
    for name, content in written.items():
        (out / name).write_text(json.dumps(content))
    if "metrics" in wanted:
        (out / "metrics").mkdir(exist_ok=True)
        for name, answer in world.metrics.items():
            (out / "metrics" / f"{name}.json").write_text(json.dumps(answer))
    for name, units in world.units.items():
        (out / "node-services").mkdir(exist_ok=True)
        (out / "node-services" / f"{name}.json").write_text(json.dumps(units))
    if "manifests" in wanted:
        (out / "manifests").mkdir(exist_ok=True)
        for name, meant in world.intended.items():
            (out / "manifests" / f"{name}.yaml").write_text("\n---\n".join(json.dumps(m, indent=2) for m in meant) + "\n")


def folded(world: World, name: str) -> Obj:
    bad = world.patterns.get(name, [])
    quiet = [line for key, lines in world.logs.items() if key[0] == world.ns and key[2] == name for line in lines[:2]]
    errors = sum(count for count, _ in bad)
    total = errors + 900
    patterns = [{"count": count, "ratio": round(count / total, 4), "sample": line} for count, line in bad]
    patterns += [{"count": 450, "ratio": round(450 / total, 4), "sample": line} for line in dict.fromkeys(quiet)][:3]
    found = {"namespace": world.ns, "service": name, "pods": [p["metadata"]["name"] for p in world.pods(name)]}
    return found | {"total_log_count": total, "total_errors": errors, "total_error_ratio": round(errors / total, 4), "patterns": patterns}


def connectivity(world: World) -> list[Obj]:
    said = {(service, port) for service, port, _, _ in world.refused}
    found = [
        {
            "namespace": world.ns, "service": service, "port": port, "succeeded": all(ok for _, ok in probes),
            "probes": [{"from": who, "succeeded": ok} for who, ok in probes], "raw": raw,
        }
        for service, port, probes, raw in world.refused
    ]
    for s in world.svcs:
        if s.port and (s.name, s.port) not in said:
            found.append({"namespace": world.ns, "service": s.name, "port": s.port, "succeeded": True, "probes": [{"from": "prober", "succeeded": True}], "raw": "open"})
    return found
