"""What a pod refers to, and what of it is missing, in the kubelet's words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from interlock.lab.kubelet.pods import Container, EnvFrom, EnvVar, Pod, Volume

Name = tuple[str, str]


@dataclass
class References:
    """The keys of every Secret and ConfigMap, by (namespace, name). Values are never kept."""

    secrets: dict[Name, frozenset[str]] = field(default_factory=dict)
    config_maps: dict[Name, frozenset[str]] = field(default_factory=dict)
    versions: dict[tuple[str, Name], str] = field(default_factory=dict)
    """The resourceVersion of each, by kind and name."""


def environment(container: Container, namespace: str, references: References) -> set[str]:
    """The names of the variables that have a value; call it when nothing is missing."""
    names = {variable.name for variable in container.env if variable.value or variable.value_from}
    for source in container.env_from:
        keys, _, _ = _whole(source, namespace, references)
        names.update(f"{source.prefix}{key}" for key in keys or ())
    return names


def settings_read(container: Container, namespace: str, references: References) -> frozenset[tuple[str, Name, str]]:
    """Which Secrets and ConfigMaps the variables come from, and in which version they are there now."""
    named = [("Secret", source.secret_ref) for source in container.env_from]
    named += [("ConfigMap", source.config_map_ref) for source in container.env_from]
    found = {(kind, (namespace, selector.name)) for kind, selector in named if selector is not None}
    for variable in container.env:
        if variable.value_from and (key := variable.value_from.secret_key_ref):
            found.add(("Secret", (namespace, key.name)))
        if variable.value_from and (key := variable.value_from.config_map_key_ref):
            found.add(("ConfigMap", (namespace, key.name)))
    return frozenset((kind, name, references.versions.get((kind, name), "")) for kind, name in found)


def missing_variable(container: Container, namespace: str, references: References) -> str | None:
    """What the first unresolvable variable lacks (kubelet's makeEnvironmentVariables), None when all resolve."""
    problems = (
        *(_missing_source(source, namespace, references) for source in container.env_from),
        *(_missing_key(variable, namespace, references) for variable in container.env),
    )
    return next((problem for problem in problems if problem), None)


def may_pull(pod: Pod, references: References) -> bool:
    """Whether one of the pod's pull secrets exists and is one."""
    named = (references.secrets.get((pod.metadata.namespace, s.name)) for s in pod.spec.image_pull_secrets)
    return any(keys is not None and ".dockerconfigjson" in keys for keys in named)


def missing_volumes(pod: Pod, references: References) -> Iterator[str]:
    """A message for each volume that cannot be set up."""
    for volume in pod.spec.volumes:
        problem = _missing_volume(volume, pod.metadata.namespace, references)
        if problem:
            yield f'MountVolume.SetUp failed for volume "{volume.name}" : {problem}'


def _whole(source: EnvFrom, namespace: str, references: References) -> tuple[frozenset[str] | None, str, bool]:
    if source.secret_ref:
        name = source.secret_ref.name
        return references.secrets.get((namespace, name)), f'secret "{name}" not found', source.secret_ref.optional
    if source.config_map_ref:
        name = source.config_map_ref.name
        keys = references.config_maps.get((namespace, name))
        return keys, f'configmap "{name}" not found', source.config_map_ref.optional
    return frozenset(), "", True


def _missing_source(source: EnvFrom, namespace: str, references: References) -> str | None:
    keys, problem, optional = _whole(source, namespace, references)
    return problem if keys is None and not optional else None


def _missing_key(variable: EnvVar, namespace: str, references: References) -> str | None:
    if variable.value_from is None:
        return None
    pairs = (
        (variable.value_from.secret_key_ref, references.secrets, "Secret"),
        (variable.value_from.config_map_key_ref, references.config_maps, "ConfigMap"),
    )
    for selector, objects, kind in pairs:
        if selector is not None and not selector.optional:
            return _lacks(objects, namespace, selector.name, selector.key, kind)
    return None


def _lacks(objects: Mapping[Name, frozenset[str]], namespace: str, name: str, key: str, kind: str) -> str | None:
    keys = objects.get((namespace, name))
    if keys is None:
        return f'{kind.lower()} "{name}" not found'
    return None if key in keys else f"couldn't find key {key} in {kind} {namespace}/{name}"


def _missing_volume(volume: Volume, namespace: str, references: References) -> str | None:
    if volume.secret and not volume.secret.optional:
        keys, name, kind = references.secrets.get((namespace, volume.secret.secret_name)), volume.secret, "secret"
        label = name.secret_name
        items = name.items
    elif volume.config_map and not volume.config_map.optional:
        keys, kind = references.config_maps.get((namespace, volume.config_map.name)), "configmap"
        label = volume.config_map.name
        items = volume.config_map.items
    else:
        return None
    if keys is None:
        return f'{kind} "{label}" not found'
    absent = next((item.key for item in items if item.key not in keys), None)
    what = "secret" if kind == "secret" else "config"
    return f"references non-existent {what} key: {absent}" if absent else None
