"""A world with its ways: who calls whom, what hurts, what was meant, and what the logs say. Each made once per look."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from interlock.agents.analyzers.kinds import Namespace
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.objects import Resource
from interlock.agents.analyzers.wide.drift import Drift, drifts, recorded, revised
from interlock.agents.analyzers.wide.settings import Address, Setting, addresses, config_maps_of, settings_of
from interlock.agents.analyzers.wide.speech import Line, lines
from interlock.agents.analyzers.wide.symptoms import Symptom, records, symptoms
from interlock.agents.analyzers.world import Group, World
from interlock.agents.model import ObjectRef

_ADDRESSED = re.compile(
    r"(?<![\w.-])(?P<name>[a-z][a-z0-9-]{0,62})(?:\.(?P<zone>[a-z0-9-]{1,63})\.svc\b|:(?P<port>\d{2,5})\b)"
)
_IP = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_DOMAINS = re.compile(r"\.svc(\.cluster\.local)?$")


@dataclass(frozen=True)
class Call:
    """A workload's way to a Service; `service` is None where the address names none."""

    caller: Group
    address: Address
    namespace: str
    name: str
    service: Service | None
    outside: bool


class Landscape(World):
    """What wide analyzers look at."""

    @cached_property
    def symptoms(self) -> tuple[Symptom, ...]:
        """What hurts."""
        return tuple(symptoms(self))

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        """Where what is differs from what was meant."""
        return tuple(drifts(self))

    @cached_property
    def changes(self) -> tuple[Drift, ...]:
        """What was changed a short while ago, by revisions and by what was recorded."""
        return (*revised(self), *recorded(self))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """What logs say that sounds like trouble."""
        return tuple(lines(self))

    @cached_property
    def lines_of(self) -> dict[ObjectRef, tuple[Line, ...]]:
        """The same, of each workload that says any."""
        found: dict[ObjectRef, list[Line]] = {}
        for line in self.lines:
            if line.group is not None:
                found.setdefault(line.group.ref, []).append(line)
        return {ref: tuple(lines) for ref, lines in found.items()}

    @cached_property
    def checks(self) -> tuple[dict[str, Any], ...]:
        """Connection checks of the namespaces that are judged."""
        found = records(self.source.document("connectivity"))
        return tuple(c for c in found if c.get("namespace") in (None, "", *self.focus))

    @cached_property
    def settings(self) -> dict[ObjectRef, tuple[Setting, ...]]:
        """What each workload is told."""
        return {group.ref: settings_of(self, group) for group in self.groups}

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The ways that workloads' settings name."""
        return tuple(self._call(g, a) for g in self.groups for a in addresses(self.settings[g.ref]))

    @cached_property
    def calls_of(self) -> dict[ObjectRef, tuple[Call, ...]]:
        """The ways of each workload."""
        found: dict[ObjectRef, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.caller.ref, []).append(call)
        return {ref: tuple(calls) for ref, calls in found.items()}

    @cached_property
    def hurt(self) -> frozenset[tuple[str, str]]:
        """Kinds and names of everything that hurts."""
        return frozenset((s.object.kind, s.object.name) for s in self.symptoms)

    @cached_property
    def suspects(self) -> frozenset[ObjectRef]:
        """The workloads that hurt, or before which a Service does, and all that they call, directly or not."""
        waiting = [g.ref for g in self.groups if self.is_hurt(g.ref)]
        found: set[ObjectRef] = set()
        while waiting:
            ref = waiting.pop()
            if ref not in found:
                found.add(ref)
                waiting.extend(self.callees.get(ref, ()))
        return frozenset(found)

    def is_hurt(self, ref: ObjectRef) -> bool:
        """Whether a workload hurts itself, or a Service before it does."""
        services = (("Service", service.name) for service in self.services_of.get(ref, ()))
        return any(name in self.hurt for name in ((ref.kind, ref.name), *services))

    @cached_property
    def callers(self) -> dict[tuple[str, str], tuple[Group, ...]]:
        """Who calls a Service, by its namespace and name: by settings, by what was traced, and by what logs address."""
        found: dict[tuple[str, str], dict[ObjectRef, Group]] = {}
        for call in self.calls:
            if call.service is not None:
                found.setdefault((call.namespace, call.name), {})[call.caller.ref] = call.caller
        by_name = {group.ref.name: group for group in self.groups}
        for entry in records(self.source.document("service-dependencies")):
            place, name = str(entry.get("namespace") or self.focus[0]), str(entry.get("service"))
            called_by, calls = entry.get("calledBy"), entry.get("calls")
            for other in called_by if isinstance(called_by, list) else ():
                if isinstance(other, str) and other in by_name:
                    found.setdefault((place, name), {})[by_name[other].ref] = by_name[other]
            for other in calls if isinstance(calls, list) else ():
                if isinstance(other, str) and name in by_name:
                    found.setdefault((place, other), {})[by_name[name].ref] = by_name[name]
        for text, speaker in ((line.text, line.group) for line in self.lines if line.group is not None):
            for service in self._addressed(text, speaker):
                found.setdefault((service.metadata.namespace, service.name), {})[speaker.ref] = speaker
        return {key: tuple(groups.values()) for key, groups in found.items()}

    def callers_of(self, callee: ObjectRef) -> Iterator[Group]:
        """Who calls a workload, by each of its Services; who calls two of them comes twice."""
        for service in self.services_of.get(callee, ()):
            yield from self.callers.get((service.metadata.namespace, service.name), ())

    def _addressed(self, text: str, speaker: Group) -> Iterator[Service]:
        """The Services beside a speaker whose address a text gives: with the namespace, or a port that they serve."""
        place = speaker.ref.namespace or ""
        for found in _ADDRESSED.finditer(text):
            service = self.find(Service, place, found["name"])
            if service is None:
                continue
            ports = {str(p.port) for p in service.spec.ports}
            if found["zone"] == place or found["port"] in ports:
                yield service
        for address in addressed(text) & self._addresses.keys():
            yield self._addresses[address]

    @cached_property
    def _addresses(self) -> dict[str, Service]:
        """The Services by the address that the cluster gave them."""
        return {s.spec.cluster_ip: s for s in self.every(Service) if s.spec.cluster_ip not in ("", "None")}

    @cached_property
    def ways_of(self) -> dict[ObjectRef, tuple[tuple[Service, Group], ...]]:
        """The Services that each workload calls, by settings and by what was traced, with who stands behind them."""
        found: dict[ObjectRef, list[tuple[Service, Group]]] = {}
        for (place, name), callers in self.callers.items():
            service = self.find(Service, place, name)
            for group in self.behind(service) if service is not None else ():
                for caller in callers:
                    if service is not None and caller.ref != group.ref:
                        found.setdefault(caller.ref, []).append((service, group))
        return {ref: tuple(ways) for ref, ways in found.items()}

    @cached_property
    def callees(self) -> dict[ObjectRef, frozenset[ObjectRef]]:
        """The workloads that each workload calls, those without a Service that was seen among them."""
        found = {ref: {group.ref for _, group in ways} for ref, ways in self.ways_of.items()}
        for (place, name), callers in self.callers.items():
            called = self._named(place, name) if self.find(Service, place, name) is None else ()
            for caller in callers:
                found.setdefault(caller.ref, set()).update(g.ref for g in called if g.ref != caller.ref)
        return {ref: frozenset(refs) for ref, refs in found.items()}

    def _named(self, namespace: str, name: str) -> tuple[Group, ...]:
        return tuple(g for g in self.groups if (g.ref.namespace, g.ref.name) == (namespace, name))

    @cached_property
    def _behind(self) -> dict[ObjectRef, tuple[Group, ...]]:
        return {}

    def behind(self, service: Service) -> tuple[Group, ...]:
        """The workloads whose pods a Service selects."""
        if service.ref not in self._behind:
            chosen = service.spec.selector
            groups = self.groups_of(service.metadata.namespace) if chosen else ()
            self._behind[service.ref] = tuple(g for g in groups if chosen.items() <= g.labels.items())
        return self._behind[service.ref]

    @cached_property
    def services_of(self) -> dict[ObjectRef, tuple[Service, ...]]:
        """The Services before each workload."""
        found: dict[ObjectRef, list[Service]] = {}
        for service in self.every(Service):
            for group in self.behind(service):
                found.setdefault(group.ref, []).append(service)
        return {ref: tuple(services) for ref, services in found.items()}

    def dependents(self, groups: tuple[Group, ...], services: tuple[Service, ...] = ()) -> frozenset[ObjectRef]:
        """Workloads that call these, and those that call them, and so on; with themselves."""
        reached = {group.ref for group in groups}
        waiting = [*services, *(s for g in groups for s in self.services_of.get(g.ref, ()))]
        seen: set[ObjectRef] = set()
        while waiting:
            service = waiting.pop()
            if service.ref in seen:
                continue
            seen.add(service.ref)
            for caller in self.callers.get((service.metadata.namespace, service.name), ()):
                if caller.ref not in reached:
                    reached.add(caller.ref)
                    waiting.extend(self.services_of.get(caller.ref, ()))
        return frozenset(reached)

    def readers(self, config_map: str) -> tuple[Group, ...]:
        """The workloads that read a ConfigMap."""
        return tuple(group for group in self.groups if config_map in config_maps_of(group))

    def drifted(self, ref: ObjectRef, *words: str) -> tuple[Drift, ...]:
        """Where an object differs from what was meant, in paths with one of these words."""
        found = self._drifts_of.get(ref, ())
        return tuple(d for d in found if not words or any(word in d.path for word in words))

    @cached_property
    def _drifts_of(self) -> dict[ObjectRef, list[Drift]]:
        found: dict[ObjectRef, list[Drift]] = {}
        for drift in (*self.drifts, *self.changes):
            found.setdefault(drift.object, []).append(drift)
        return found

    def _call(self, caller: Group, address: Address) -> Call:
        name, namespace, outside = self._place(address.host, caller.ref.namespace or "")
        service = None if outside else self.find(Service, namespace, name)
        return Call(caller, address, namespace, name, service, outside)

    def _place(self, host: str, namespace: str) -> tuple[str, str, bool]:
        """Name, namespace, and whether the host lies outside of what can be known."""
        inside = _DOMAINS.sub("", host)
        parts = inside.split(".")
        if len(parts) == 1:
            return host, namespace, not self.known(Service, namespace)
        if len(parts) == 3 and self.find(Service, parts[2], parts[1]):  # one pod of a headless Service
            return parts[1], parts[2], False
        if len(parts) == 2 and self.find(Service, namespace, parts[1]):
            return parts[1], namespace, False
        if len(parts) == 2 and self.known(Service, parts[1]):
            return parts[0], parts[1], False
        of_ours = len(parts) == 2 and self.find(Service, namespace, parts[0]) is not None
        no_such_place = (
            (inside != host or of_ours) and self.known(Namespace) and self.find(Namespace, None, parts[-1]) is None
        )
        return parts[0], parts[-1], not no_such_place


def addressed(text: str) -> frozenset[str]:
    """The addresses that a text names."""
    return frozenset(_IP.findall(text))


def says(text: str, name: str) -> bool:
    """Whether a text holds a name, not as a part of a longer one."""
    found = name in text  # a look that spares most names a pattern of their own
    return found and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def is_named(service: Service, text: str) -> bool:
    """Whether a text names a Service, by its name or by its address in the cluster."""
    return says(text, service.name) or service.spec.cluster_ip in addressed(text)


def resources(world: World, kinds: tuple[type[Resource], ...]) -> Iterator[Resource]:
    """The objects of several kinds in the namespaces that are judged."""
    for kind in kinds:
        yield from world.every(kind)
