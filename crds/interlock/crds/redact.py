"""Keeps secret values out of plans, journals, evidence, logs and prompts.

Redaction errs on the side of hiding: a value is hidden for the name it stands under, or for what it looks like. Where
two hidden values must be comparable (did the plan change?), a keyed digest stands in their place.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Mapping

from pydantic import JsonValue

HIDDEN = "[redacted]"

_NAME = re.compile(
    r"(?i)(?:^|[-_./ ])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|credentials?|auth(?:orization)?|session|cookie|dsn|conn(?:ection)?[-_]?str(?:ing)?|signing[-_]?key|salt|cert)"
    r"(?:$|[-_./ 0-9])"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOOKS = re.compile(
    r"""-----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    |eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    |\b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    |\bgh[pousr]_[A-Za-z0-9]{20,}\b
    |\bxox[abprs]-[A-Za-z0-9-]{10,}
    |\bsk-[A-Za-z0-9_-]{16,}
    |(?<=://)[^\s/:@]*:[^\s/@]+(?=@)
    |(?i:(?<=bearer\ ))[A-Za-z0-9._~+/=-]{8,}
    |(?i:(?<=basic\ ))[A-Za-z0-9+/=]{8,}""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNED = re.compile(
    r"(?i)(?P<name>[\w.-]*(?:password|passwd|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential)"
    r"[\w.-]*)(?P<join>[\"']?\s*[:=]\s*[\"']?)(?P<value>[^\s\"',;&]+)"
)
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{32,}")


def is_secret_name(name: str) -> bool:
    """Whether a key or variable of this name usually holds a secret."""
    return _NAME.search(_CAMEL.sub("_", name)) is not None


def _entropy(text: str) -> float:
    counts = {letter: text.count(letter) for letter in set(text)}
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def looks_secret(value: str) -> bool:
    """Whether a value looks like a token, a key or a URL with credentials, whatever its name."""
    if _LOOKS.search(value):
        return True
    if value.startswith("sha256:") or re.fullmatch(r"[a-f0-9-]{32,64}", value):
        return False
    return any(_entropy(blob[0]) > 4.2 for blob in _BLOB.finditer(value))


def redact_text(text: str) -> str:
    """Text with tokens, keys, credentials in URLs and values assigned to secret names replaced."""
    return _ASSIGNED.sub(lambda m: f"{m['name']}{m['join']}{HIDDEN}", _LOOKS.sub(HIDDEN, text))


def redact_object(value: JsonValue, name: str = "") -> JsonValue:
    """A Kubernetes object without secret values: Secrets' data, environment values, annotations that repeat them."""
    if isinstance(value, dict):
        return _redact_mapping(value)
    if isinstance(value, list):
        return [redact_object(item, name) for item in value]
    if isinstance(value, str):
        return HIDDEN if is_secret_name(name) and value else redact_text(value)
    return value


def _redact_mapping(value: Mapping[str, JsonValue]) -> JsonValue:
    if value.get("kind") == "Secret":
        value = {
            key: dict.fromkeys(content, HIDDEN)
            if key in {"data", "stringData"} and isinstance(content, dict)
            else content
            for key, content in value.items()
        }
    result: dict[str, JsonValue] = {}
    for key, content in value.items():
        if key == "kubectl.kubernetes.io/last-applied-configuration":
            result[key] = HIDDEN
        elif key == "value" and isinstance(content, str) and isinstance(value.get("name"), str):
            hide = is_secret_name(str(value["name"])) or looks_secret(content)
            result[key] = HIDDEN if hide and content else content
        elif isinstance(content, str):
            hide = is_secret_name(key) and not key.endswith(("Name", "Ref")) and content
            result[key] = HIDDEN if hide else redact_text(content)
        else:
            result[key] = redact_object(content, key)
    return result


def keyed_digest(key: bytes, value: str) -> str:
    """Stands for a hidden value: equal values have equal digests, and without the key nothing can be guessed."""
    return "hmac:" + hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
