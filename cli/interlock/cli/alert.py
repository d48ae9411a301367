"""`interlock alert send`: what Alertmanager would send, to see what the agents make of it."""

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.errors import CommandError, UsageError
from interlock.cli.screen import as_json, say
from interlock.crds.types import rfc3339

app = typer.Typer(no_args_is_help=True, help="Simulate alerts.", rich_markup_mode=None)
_UNSET = "0001-01-01T00:00:00Z"


@app.callback()
def alert() -> None:
    """Simulate alerts."""


@app.command()
def send(
    name: Annotated[str, typer.Argument(help="The label alertname.", metavar="ALERTNAME")],
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="Repeatable.", metavar="NAME=VALUE")] = None,
    annotation: Annotated[list[str] | None, typer.Option(help="Repeatable.", metavar="NAME=VALUE")] = None,
    *,
    url: Annotated[str, typer.Option(help="The agents' webhook.")] = "http://127.0.0.1:9130/api/v1/alertmanager",
    token_file: Annotated[Path | None, typer.Option(help="File with the webhook's bearer token.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="The alert is over.")] = False,
    starts_at: Annotated[str, typer.Option(help="When it began, RFC 3339; by default now.")] = "",
    show: Annotated[bool, typer.Option("--print", help="Print the payload instead of sending it.")] = False,
) -> None:
    """Send one alert in Alertmanager's format (version 4) to the agents' webhook.

    An alert is a hint: nothing acts unless the fault is seen on live objects.

    \b
        interlock alert send KubePodCrashLooping -l namespace=shop -l pod=checkout-5d8c \\
            --token-file webhook-token
    """
    labels = {"alertname": name, **_pairs("--label", label)}
    now = rfc3339(datetime.now(UTC))
    body = payload(labels, _pairs("--annotation", annotation), starts_at or now, now if resolved else None)
    if show:
        as_json(body)
        return
    status, answer = _post(url, body, token_file)
    if status >= 300:
        way_out = "401: check --token-file. 503: the agents cannot store it now; Alertmanager would try again."
        raise CommandError(f"{url} answers {status}: {answer}", way_out)
    say(f"{url} answers {status}: {answer}")


def payload(
    labels: Mapping[str, str], annotations: Mapping[str, str], starts_at: str, ends_at: str | None
) -> dict[str, Any]:
    """The body of a webhook call by Alertmanager (version 4) with one alert."""
    status = "resolved" if ends_at else "firing"
    text = json.dumps(dict(labels), sort_keys=True)
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{labels["alertname"]}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "interlock",
        "groupLabels": {"alertname": labels["alertname"]},
        "commonLabels": dict(labels),
        "commonAnnotations": dict(annotations),
        "externalURL": "",
        "alerts": [
            {
                "status": status,
                "labels": dict(labels),
                "annotations": dict(annotations),
                "startsAt": starts_at,
                "endsAt": ends_at or _UNSET,
                "generatorURL": "",
                "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16],
            }
        ],
    }


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option}: {text!r} is not NAME=VALUE", f"For example: {option} namespace=shop")
        pairs[name] = value
    return pairs


def _post(url: str, body: Mapping[str, Any], token_file: Path | None) -> tuple[int, str]:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--url: {url!r} is not an HTTP URL")
    headers = {"Content-Type": "application/json"}
    if token_file is not None:
        try:
            headers["Authorization"] = f"Bearer {token_file.read_text().strip()}"
        except OSError as wrong:
            raise UsageError(f"--token-file: {os.fspath(token_file)}: {wrong.strerror}") from wrong
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - the scheme is checked
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read(1000).decode(errors="replace")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(1000).decode(errors="replace")
    except OSError as error:
        raise CommandError(f"no answer from {url}: {error}", "Do the agents run? interlock agents run") from error
