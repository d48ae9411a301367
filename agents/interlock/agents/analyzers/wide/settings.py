"""What workloads are told: variables, arguments and configuration files, and the addresses in them.

Addresses are what applications are made of: an address that leads nowhere is found here before any call fails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from interlock.agents.analyzers.kinds import ConfigMap
from interlock.agents.analyzers.objects import Container, PodSpec
from interlock.agents.analyzers.world import Group, World
from interlock.agents.model import ObjectRef

Place = Literal["env", "config", "args"]
LARGEST_VALUE = 32 * 1024
_HOST = r"[A-Za-z](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
_URL = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]{{1,20}})://(?:[^/@\s\"']{{0,200}}@)?(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?"
)
_PAIR = re.compile(rf"(?<![\w./:-])(?P<host>{_HOST}):(?P<port>\d{{2,5}})(?![\w.:-])")
_ADO = re.compile(
    rf"(?i)(?:^|;)\s*(?:server|data source|addr|address)\s*=\s*(?:tcp:)?(?P<host>{_HOST}),\s*(?P<port>\d{{2,5}})"
)
_DSN = re.compile(rf"(?i)(?:^|[;\s])(?:host|server|data source)\s*=\s*(?:tcp:)?(?P<host>{_HOST})(?=\s*(?:[;\s]|$))")
_DSN_PORT = re.compile(r"(?i)(?:^|[;\s])port\s*=\s*(?P<port>\d{2,5})(?=\s*(?:[;\s]|$))")
_LINE = re.compile(
    rf"(?im)^[\s\"']*[\w.-]{{0,60}}(?:host|hostname|address|addr|server|endpoint)[\"']?\s*[:=]\s*[\"']?(?P<host>{_HOST})[\"',]*\s*$"
)
_FLAG = re.compile(r"--?(?P<name>[A-Za-z][\w.-]{0,60})(?:=(?P<value>.*))?", re.S)
_NAMED = re.compile(r"(?i)(?:host|hostname|addr|address|server|endpoint|url|uri|service|svc|broker|brokers)s?$")
_PORT_NAME = re.compile(r"(?i)[_.-]?port$")
_HOST_NAME = re.compile(r"(?i)[_.-]?(?:service[_.-]?)?(?:host|hostname|addr|address|server|endpoint)$")
_SCHEMES = {"http": 80, "https": 443}
_NOT_HOSTS = frozenset(
    {"localhost", "true", "false", "none", "null", "default", "tcp", "udp", "http", "https", "unix", "info", "debug"}
)


@dataclass(frozen=True)
class Setting:
    """One thing that a workload is told; `owner` is what would have to be edited."""

    owner: ObjectRef
    place: Place
    name: str
    value: str


@dataclass(frozen=True)
class Address:
    """A host, and perhaps a port, in a setting; `sure` where nothing else can be meant."""

    setting: Setting
    host: str
    port: int | None
    scheme: str
    sure: bool


def settings_of(world: World, group: Group) -> tuple[Setting, ...]:
    """Everything that a workload is told in a form that can be read."""
    return tuple(_settings(world, group))


def _settings(world: World, group: Group) -> Iterator[Setting]:
    namespace = group.ref.namespace or ""
    for container in (*group.spec.containers, *group.spec.init_containers):
        for variable in container.env:
            if variable.value:
                yield Setting(group.ref, "env", variable.name, variable.value)
        for name, text in _arguments(container):
            yield Setting(group.ref, "args", name, text[:LARGEST_VALUE])
    for name, key in _maps(group.spec):
        found = world.find(ConfigMap, namespace, name)
        for entry, text in found.data.items() if found is not None else ():
            if key in ("", entry):
                yield Setting(found.ref if found else group.ref, "config", entry, text[:LARGEST_VALUE])


def _arguments(container: Container) -> Iterator[tuple[str, str]]:
    """Arguments, each under its flag's name: `--db-port=5432`, or `--db-port` and `5432` after each other."""
    flag = ""
    for text in (*container.command, *container.args):
        if found := _FLAG.fullmatch(text):
            flag = found["name"]
            if found["value"] is not None:
                yield flag, found["value"]
                flag = ""
        else:
            yield flag or container.name, text
            flag = ""


def _maps(spec: PodSpec) -> Iterator[tuple[str, str]]:
    """ConfigMaps that are read, each with the one key that is, or none for all."""
    seen: set[tuple[str, str]] = set()
    for found in _all_maps(spec):
        if found not in seen:
            seen.add(found)
            yield found


def _all_maps(spec: PodSpec) -> Iterator[tuple[str, str]]:
    for container in (*spec.containers, *spec.init_containers):
        yield from _container_maps(container)
    for volume in spec.volumes:
        if volume.config_map and volume.config_map.name:
            yield volume.config_map.name, ""


def _container_maps(container: Container) -> Iterator[tuple[str, str]]:
    for source in container.env_from:
        if source.config_map_ref:
            yield source.config_map_ref.name, ""
    for variable in container.env:
        if variable.value_from and variable.value_from.config_map_key_ref:
            yield variable.value_from.config_map_key_ref.name, variable.value_from.config_map_key_ref.key


def config_maps_of(group: Group) -> frozenset[str]:
    """Names of the ConfigMaps that a workload reads."""
    return frozenset(name for name, _ in _all_maps(group.spec))


def addresses(settings: tuple[Setting, ...]) -> Iterator[Address]:
    """The addresses in settings, each once."""
    seen: set[tuple[str, str, str, int | None]] = set()
    for setting in settings:
        for address in _addresses(setting, settings):
            key = (setting.place, setting.name, address.host, address.port)
            if key not in seen:
                seen.add(key)
                yield address


def _addresses(setting: Setting, beside: tuple[Setting, ...]) -> Iterator[Address]:
    value, found = setting.value, False
    for url in _URL.finditer(value):
        found = True
        port = int(url["port"]) if url["port"] else _SCHEMES.get(url["scheme"])
        yield from _address(setting, url["host"], port, url["scheme"], sure=True)
    for pair in _PAIR.finditer(_URL.sub(" ", value)):
        found = True
        yield from _address(setting, pair["host"], int(pair["port"]), "", sure=_NAMED.search(setting.name) is not None)
    for server in _ADO.finditer(value):
        found = True
        yield from _address(setting, server["host"], int(server["port"]), "", sure=True)
    for server in _DSN.finditer(value) if setting.place != "config" else ():
        found, beside_it = True, _DSN_PORT.search(value)
        yield from _address(setting, server["host"], int(beside_it["port"]) if beside_it else None, "", sure=True)
    if found:
        return
    if setting.place == "config" and len(value) > 100:
        for line in _LINE.finditer(value):
            yield from _address(setting, line["host"], None, "", sure=False)
    elif _NAMED.search(setting.name) and re.fullmatch(_HOST, value.strip()):
        yield from _address(
            setting, value.strip(), _port_beside(setting, beside), "", sure=_HOST_NAME.search(setting.name) is not None
        )


def _address(setting: Setting, host: str, port: int | None, scheme: str, *, sure: bool) -> Iterator[Address]:
    name = host.rstrip(".").lower()
    if name not in _NOT_HOSTS and name == host.rstrip("."):
        yield Address(setting, name, port, scheme, sure)


def _port_beside(setting: Setting, beside: tuple[Setting, ...]) -> int | None:
    """`DB_PORT` beside `DB_HOST`."""
    stem = _HOST_NAME.sub("", setting.name)
    for other in beside:
        named = _PORT_NAME.search(other.name) is not None and _PORT_NAME.sub("", other.name) == stem != ""
        if named and other.owner == setting.owner and other.value.isdigit():
            return int(other.value)
    return None
