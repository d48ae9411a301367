"""What the cluster's owner does in a trial: apply an object, and take it away again."""

from collections.abc import Mapping
from typing import Any

from interlock.operator.api import Api, Object

_OWNER = {"fieldManager": "interlock-vetting", "force": "true"}
_APPLY = "application/apply-patch+yaml"


async def apply(admin: Api, manifest: Object, namespace: str = "") -> Object:
    """Applies an object, in this namespace where it names none; raises ApiError."""
    path = await _path(admin, manifest, namespace)
    return await admin.request("PATCH", path, query=_OWNER, body=manifest, content=_APPLY)


async def remove(admin: Api, manifest: Object) -> None:
    """Deletes the object of such a manifest; raises ApiError."""
    await admin.delete(await _path(admin, manifest))


async def _path(admin: Api, manifest: Mapping[str, Any], namespace: str = "") -> str:
    meta = manifest["metadata"]
    place = meta.get("namespace") or namespace or None
    return await admin.path(manifest["apiVersion"], manifest["kind"], place, meta["name"])
