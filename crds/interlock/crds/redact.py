"""Keeps secret values out of plans, journals, evidence, logs and prompts.

Redaction errs on the side of hiding: a value is hidden for the name it stands under, or for what it looks like. Where
two hidden values must be comparable (did the plan change?), a keyed digest stands in their place.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from functools import lru_cache

from pydantic import JsonValue

from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.types import UNSEEN

HIDDEN = "[redacted]"

_NAME = re.compile(
    r"""(?i)(?:pass(?:word|wd|phrase)|secret|token)s?(?:$|[-_./\ 0-9])
    |(?:^|[-_./\ ])(?:pass|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key|encryption[-_]?key
        |credentials?|auth(?:orization)?|session(?:[-_]?(?:id|key))?$|cookie|dsn|conn(?:ection)?[-_]?str(?:ing)?
        |salt|cert)(?:$|[-_./\ 0-9])""",
    re.VERBOSE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOOKS = re.compile(
    r"""-----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    |(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    |\b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    |\bAIza[A-Za-z0-9_-]{30,}
    |\bgh[pousr]_[A-Za-z0-9]{20,}\b
    |\b(?:github_pat_|glpat-|npm_|[rs]k_live_)[A-Za-z0-9_-]{16,}
    |\bxox[abprs]-[A-Za-z0-9-]{10,}
    |\bsk-[A-Za-z0-9_-]{16,}
    |(?<=://)[^\s/:@"']*:[^\s/"']+(?=@(?!sha256:))
    |(?<=://)[A-Za-z0-9_-]{16,}(?=@(?!sha256:))
    |(?i:(?<=bearer\ ))[A-Za-z0-9._~+/=-]{8,}
    |(?i:(?<=basic\ ))(?=[a-z]*[A-Z0-9+/=])[A-Za-z0-9+/=]{8,}""",
    re.VERBOSE | re.DOTALL,
)
# `name=value`, `"name": "value"` also where quotes are escaped, and `--name value`. The text is anybody's, so
# repetitions that could start anywhere are bounded.
_ASSIGNED = re.compile(
    r"""(?i)(?P<name>(?P<flag>(?<!\S)--?)?
        [\w.-]{0,64}(?:password|passwd|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential)
        [\w.-]{0,64})
    (?P<join>\\*["']?\s{0,8}[:=]\s{0,8}|(?(flag)\s{1,8}|(?!)))
    (?P<value>(?P<quote>\\*["']).*?(?:(?P=quote)|$)|[^\s"',;&\\]+)""",
    re.VERBOSE | re.MULTILINE,
)
# What the two above find has one of these in it, in small letters. Most texts have none, which is seen much faster.
_MAY_HOLD = re.compile(
    "-----begin|eyj|akia|asia|aiza|gh[pousr]_|github_pat_|glpat-|npm_|k_live_|xox|sk-|://|bearer |basic "
    "|pass|pwd|secret|token|key|credential"
)
_ENDS_IN_SECRET = re.compile(r"(?i)(?:pass\w*|pwd|secrets?|tokens?|key|credentials?)[\d_]*$")
_UNSEEN = re.compile(f"[{UNSEEN}]")
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{32,}")


@lru_cache(maxsize=4096)  # objects repeat the names of their fields
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
    if text.isascii() and not _MAY_HOLD.search(text.lower()):  # beyond ASCII, more letters are equal without case
        return text
    return _ASSIGNED.sub(_without_value, _LOOKS.sub(HIDDEN, text))


def _without_value(assigned: re.Match[str]) -> str:
    if assigned["join"] == ":" and not assigned["quote"] and _is_image(assigned):
        return assigned[0]
    quote = assigned["quote"] or ""
    return f"{assigned['name']}{assigned['join']}{quote}{HIDDEN}{quote}"


def _is_image(assigned: re.Match[str]) -> bool:
    """`shop/token:1.2` and `token-service:1.2` are images; `token:abc` is not."""
    in_path = assigned.start() > 0 and assigned.string[assigned.start() - 1] == "/"
    return in_path or _ENDS_IN_SECRET.search(assigned["name"]) is None


def safe_message(said: object, limit: int = 1000) -> str:
    """What somebody or something said, fit for a journal or a screen: redacted, bounded, nothing unseen in it."""
    text = redact_text(str(said))
    return "".join(c if c == "\n" or (c.isprintable() and not _UNSEEN.match(c)) else "?" for c in text)[:limit]


def redact_object(value: JsonValue, name: str = "") -> JsonValue:
    """A Kubernetes object without secret values: Secrets' data, environment values, annotations that repeat them."""
    if isinstance(value, dict):
        return _redact_mapping(value)
    if isinstance(value, list):
        return [
            HIDDEN if _is_secret_flag(before) and isinstance(item, str) else redact_object(item, name)
            for before, item in zip([None, *value], value, strict=False)
        ]
    if isinstance(value, str):
        return HIDDEN if is_secret_name(name) and value else redact_text(value)
    return value


def _is_secret_flag(argument: JsonValue) -> bool:
    """Whether the next argument of a command line is a secret: `--password`, but not `--password=…`."""
    return isinstance(argument, str) and argument.startswith("-") and is_secret_name(argument.lstrip("-"))


def _redact_mapping(value: Mapping[str, JsonValue]) -> JsonValue:
    items = value.get("items")
    if value.get("kind") == "SecretList" and isinstance(items, list):
        value = {**value, "items": [{"kind": "Secret", **item} if isinstance(item, dict) else item for item in items]}
    if value.get("kind") == "Secret":
        value = {
            key: dict.fromkeys(content, HIDDEN)
            if key in {"data", "stringData"} and isinstance(content, dict)
            else content
            for key, content in value.items()
        }
    result: dict[str, JsonValue] = {}
    for key, content in value.items():
        if key == LAST_APPLIED:
            result[key] = HIDDEN
        elif key == "value" and isinstance(content, str) and isinstance(value.get("name"), str):
            hide = is_secret_name(str(value["name"])) or looks_secret(content)
            result[key] = HIDDEN if hide and content else redact_text(content)
        elif isinstance(content, str):
            hide = bool(content) and is_secret_name(key) and not key.endswith(("Name", "Ref"))
            result[key] = HIDDEN if hide else redact_text(content)
        else:
            result[key] = redact_object(content, key)
    return result


def keyed_digest(key: bytes, value: str) -> str:
    """Stands for a hidden value: equal values have equal digests, and without the key nothing can be guessed."""
    return "hmac:" + hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
