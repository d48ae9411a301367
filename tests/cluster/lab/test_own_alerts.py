"""What the chart ships for monitoring, judged by the programs that are to take it."""

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from interlock.crds.manifests import chart
from interlock.lab import Lab

MONITORING = chart("install") / "monitoring"


def expressions() -> set[str]:
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    shown = {target["expr"] for panel in panels for target in panel["targets"]}
    return {rule["expr"] for group in rules for rule in group["rules"]} | shown


def test_prometheus_understands_every_rule_and_every_panel(monitored_lab: Lab) -> None:
    for expression in expressions():
        query = urllib.parse.urlencode({"query": expression.replace("$__rate_interval", "1m")})
        with urllib.request.urlopen(f"{monitored_lab.prometheus_url}/api/v1/query?{query}", timeout=120) as answer:
            assert json.load(answer)["status"] == "success", expression


def test_alertmanager_takes_the_configuration_to_copy(monitored_lab: Lab, tmp_path: Path) -> None:
    program = [
        str(monitored_lab.description.tools / "alertmanager"),
        f"--config.file={MONITORING / 'alertmanager.yaml'}",
    ]
    places = [f"--storage.path={tmp_path}", "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]
    with subprocess.Popen([*program, *places], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            assert any("Completed loading of configuration file" in line for line in running.stderr)
        finally:
            running.kill()
