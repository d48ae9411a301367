from collections.abc import Mapping
from typing import Any

from interlock.cli.limits import rows

USE = {"limit": "3 starts in 1 h per Namespace", "of": "shop", "used": 2, "allowed": 3}


def body(name: str, spec: Mapping[str, Any], **status: Any) -> Mapping[str, Any]:
    return {"metadata": {"name": name}, "spec": spec, **({"status": status} if status else {})}


def test_each_limit_that_is_used_has_a_line() -> None:
    shown = list(
        rows(
            [
                body(
                    "calm",
                    {},
                    limits="3 starts in 1 h per Namespace",
                    uses=[{**USE, "freesAt": "2026-01-01T13:01:00Z"}],
                ),
                body("default", {"mode": "Observe"}),
                body("off", {"stop": True}, trouble="freeze cannot be read"),
            ]
        )
    )
    assert shown == [
        ("calm", "Propose", "3 starts in 1 h per Namespace", "", ""),
        ("calm", "Propose", "3 starts in 1 h per Namespace", "2 of 3 by shop", "2026-01-01T13:01:00Z"),
        ("default", "Observe", "approvals only", "", ""),
        ("off", "stopped", "approvals only", "freeze cannot be read", ""),
    ]
