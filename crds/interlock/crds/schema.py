"""From the contract's models to the structural OpenAPI v3 schemas that the API server validates with.

A CustomResourceDefinition knows no references, no unions with null and no names of properties, so references are put
in place, an optional field is one that may be absent, and what only CEL can say is added by `rules`.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

KEPT = (
    "description",
    "type",
    "format",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
"""Keywords that mean the same in JSON Schema and in a structural schema, in the order in which they are written."""

FORMATS = {"integer": "int64", "number": "double"}


class NotStructural(ValueError):
    """A model says something that no structural schema can say; the message names the field."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model: no references, no null, names as on the wire, bounds and defaults kept.

    Raises:
        NotStructural: a field is a union, or an open value without a type.
    """
    document = model.model_json_schema(by_alias=True)
    return _convert(document, document.get("$defs", {}), model.__name__)


def at(schema: Schema, path: str) -> Schema:
    """The part of a structural schema at a dotted path of properties; `[]` steps into the items of a list.

    Raises:
        KeyError: there is no such part.
    """
    for name in path.split(".") if path else ():
        schema = schema["properties"][name.removesuffix("[]")]
        if name.endswith("[]"):
            schema = schema["items"]
    return schema


def _convert(node: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    node = _resolved(node, definitions, where)
    if "const" in node:
        node["enum"] = [node["const"]]
    if "type" not in node:
        raise NotStructural(f"{where} has no single type: {sorted(node)}")
    node.setdefault("format", FORMATS.get(node["type"]))
    schema: Schema = {key: node[key] for key in KEPT if node.get(key) is not None}
    if node["type"] == "object":
        schema |= _object(node, definitions, where)
    if node["type"] == "array":
        schema["x-kubernetes-list-type"] = "atomic"
        schema["items"] = _convert(node["items"], definitions, f"{where}[]")
    return schema


def _object(node: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    if properties := node.get("properties"):
        converted = {name: _convert(child, definitions, f"{where}.{name}") for name, child in properties.items()}
        required = {"required": list(node["required"])} if node.get("required") else {}
        return {**required, "properties": converted}
    # Names of properties with a pattern of their own: the pattern itself becomes a rule, see `rules`.
    patterned = node.get("patternProperties", {})
    values = next(iter(patterned.values())) if len(patterned) == 1 else node.get("additionalProperties")
    if not isinstance(values, Mapping):
        raise NotStructural(f"{where} is an object without a schema for its values")
    return {"additionalProperties": _convert(values, definitions, f"{where}.*")}


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    """The node with its reference and its `or null` put in place; what is said beside a reference wins."""
    merged = deepcopy(dict(node))
    while "$ref" in merged or "anyOf" in merged:
        if "$ref" in merged:
            inner = definitions[merged.pop("$ref").rpartition("/")[2]]
        else:
            variants = [variant for variant in merged.pop("anyOf") if variant.get("type") != "null"]
            if len(variants) != 1:
                raise NotStructural(f"{where} is a union of {len(variants)} types")
            inner = variants[0]
        merged = {**deepcopy(inner), **merged}
    return merged
