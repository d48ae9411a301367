"""Lint says what the schema cannot see, each rule at its line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.guide import example_text

from interlock.runbooks.bound_rules import nesting, plural
from interlock.runbooks.lint import lint
from interlock.runbooks.loading import catalogue_folder, load_file
from interlock.runbooks.written import STEP_VARIABLES, VARIABLES

SCALE = (catalogue_folder() / "scale-deployment" / "runbook.yaml").read_text()


def findings(tmp_path: Path, text: str, page: str = "A page.") -> list[str]:
    (tmp_path / "README.md").write_text(page)
    file = tmp_path / "runbook.yaml"
    file.write_text(text)
    return [str(problem).replace(f"{file}:", "") for problem in lint(load_file(file))]


def test_a_good_runbook_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, SCALE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${parameters.replicas}", "${parameters.replicas +}", "does not compile"),
        ("expression: target.spec.?replicas", "expression: object.spec.?replicas", "unknown name 'object'"),
        ("${parameters.replicas}", "${parameters.replica}", "unknown parameter 'replica'"),
        ("  allowedPaths:\n    - /spec/replicas\n", "", "writes, but the runbook allows no path"),
        ("    - /spec/replicas", "    - /spec/**", "bounds nothing"),
        ("verbs: [patch]", "verbs: [get]", "a step writes, but no rule allows it"),
    ],
)
def test_finds(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SCALE
    assert any(said in finding for finding in findings(tmp_path, SCALE.replace(old, new, 1)))


def test_finds_an_unused_parameter(tmp_path: Path) -> None:
    extra = "    - {name: spare, description: Unused, type: boolean}\n"
    text = SCALE.replace("  parameters:\n", "  parameters:\n" + extra)
    assert ["no expression uses this parameter" in finding for finding in findings(tmp_path, text)] == [True]


def test_finds_a_verification_that_cannot_fail(tmp_path: Path) -> None:
    start = SCALE.index("      - name: all-replicas-available")
    text = SCALE[:start] + "      - {name: hope, expression: 1 < 2}\n" + SCALE[SCALE.index("    withinSeconds") :]
    assert any("does not look at the cluster" in finding for finding in findings(tmp_path, text))


def test_finds_that_nothing_proves_the_fault(tmp_path: Path) -> None:
    text = SCALE[: SCALE.index("  preconditions:")] + SCALE[SCALE.index("  steps:") :]
    assert any("acts without proof of a fault" in finding for finding in findings(tmp_path, text))


def test_finds_a_missing_page(tmp_path: Path) -> None:
    assert any("no README.md" in finding for finding in findings(tmp_path, SCALE, page=""))


def test_names_bound_by_macros_are_known(tmp_path: Path) -> None:
    text = SCALE.replace("target.spec.?replicas.orValue(1) < parameters.replicas", "pods.all(pod, pod != 'unknown.x')")
    assert findings(tmp_path, text) == []


def test_offers_what_the_operator_offers() -> None:
    from interlock.operator import look

    assert VARIABLES | STEP_VARIABLES == look.VARIABLES


IMAGE = f"registry.example/tool@sha256:{'a' * 64}"
SCALING = {"name": "scale", "action": "scale", "with": {"replicas": "${parameters.replicas}"}}
JOB = {"name": "count", "action": "createJob", "with": {"image": IMAGE, "args": "['${parameters.replicas}']"}}
YIELDING = {
    "name": "first",
    "action": "wait",
    "with": {"until": "size(pods) > parameters.replicas"},
    "outputs": {"n": "size(pods)"},
}
NAMING = {
    "name": "use",
    "action": "scale",
    "with": {"replicas": "1", "apiVersion": "apps/v1", "kind": "Deployment", "name": "${steps.first.n}"},
    "bounds": "after.spec.replicas == 1",
}
FOR_JOBS = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]


def steps(tmp_path: Path, *made: dict[str, Any], permissions: list[dict[str, Any]] | None = None, **spec: Any) -> str:
    """What is found on the scaling runbook with these steps."""
    body = yaml.safe_load(SCALE)
    body["spec"] |= {"steps": list(made), **spec}
    own = NODES if spec.get("scope") == "Cluster" else body["spec"]["permissions"]
    body["spec"]["permissions"] = [*own, *(permissions or [])]
    return "\n".join(findings(tmp_path, yaml.safe_dump(body)))


def using(expression: str, **step: Any) -> dict[str, Any]:
    """A step that scales to what an earlier one has yielded."""
    bounds = {"bounds": "after.spec.replicas <= before.spec.replicas + 1"}
    return {"name": "use", "action": "scale", "with": {"replicas": f"${{{expression}}}"}, **bounds, **step}


def test_steps_that_build_on_each_other_are_fine(tmp_path: Path) -> None:
    looped = {**YIELDING, "name": "loop", "forEach": "pods.map(p, p.metadata.name)", "outputs": {"n": "size(item)"}}
    later = using('steps["loop.0"].n + steps.first.n', until="result == result && size(pods) > 0")
    assert steps(tmp_path, YIELDING, looped, later) == ""
    assert steps(tmp_path, JOB, using("int(steps.count.logs)"), permissions=FOR_JOBS) == ""


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([SCALING, using("item")], "unknown name 'item'"),
        ([{**SCALING, "until": "result == target && before == after"}], "unknown name 'after'"),
        ([{**SCALING, "forEach": "[item]"}], "unknown name 'item'"),
        ([{**SCALING, "outputs": {"x": "nope"}}], "unknown name 'nope'"),
        ([{**SCALING, "bounds": "target == after"}], "unknown name 'target'"),
        ([{**SCALING, "when": "pods +"}], "does not compile"),
        ([YIELDING, using("steps.nope.n")], "no step yields as 'nope'"),
        ([YIELDING, using("steps.first.m")], "step 'first' has no output 'm'"),
        ([YIELDING, using("steps.first.?m.orValue(1)")], "step 'first' has no output 'm'"),
        (
            [YIELDING, using("steps.first.n", needs=[])],
            "step 'first' need not be done by then",
        ),
        ([{**YIELDING, "forEach": "[1]"}, using("steps.first.n")], 'yields as steps["<name>.<index>"]'),
        ([{**YIELDING, "forEach": "[1]", "maxItems": 2}, using('steps["first.2"].n')], "no step yields as 'first.2'"),
        ([YIELDING, {**using("steps.first.n"), "bounds": None}], "another step decides what it writes"),
        ([YIELDING, {**SCALING, "when": "steps.first.n > 1"}], "another step decides what it writes"),
        ([YIELDING, {**JOB, "with": {"image": IMAGE, "args": "['${steps.first.n}']"}}], "must be known when the plan"),
        ([YIELDING, NAMING], "with.name: must be known when the plan is made"),
        ([{**JOB, "bounds": "after == before"}], "bounds nothing: it patches no object"),
        ([SCALING, {"name": "cordon", "action": "cordon"}], "acts on a Node"),
        ([{**SCALING, "name": f"s{n}", "forEach": "[1]", "maxItems": 16} for n in range(3)], "could have 48 steps"),
        ([SCALING, JOB], "a step needs to create jobs, but no rule allows it"),
        ([SCALING, JOB], "undo deletes the Job"),
        ([SCALING, JOB], "the Job's log is kept"),
        ([SCALING, {"name": "x", "action": "evictPod", "with": {"name": "a"}}], "create pods/eviction"),
        ([SCALING, {"name": "x", "action": "deletePod", "with": {"name": "a"}}], "delete pods, but no rule"),
    ],
)
def test_finds_in_steps(tmp_path: Path, made: list[dict[str, Any]], said: str) -> None:
    assert said in steps(tmp_path, *[{k: v for k, v in step.items() if v is not None} for step in made])


NODE: dict[str, Any] = {
    "scope": "Cluster",
    "targets": [{"apiVersion": "v1", "kind": "Node"}],
    "parameters": [],
    "allowedPaths": ["/spec/unschedulable"],
    "preconditions": [{"name": "broken", "expression": "target.spec != {}", "message": "It is ready."}],
    "verification": {"checks": [{"name": "cordoned", "expression": "target.spec.unschedulable"}]},
}
NODES = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}]
CORDON, DRAIN = {"name": "cordon", "action": "cordon"}, {"name": "drain", "action": "drain"}


def test_a_drain_comes_after_a_cordon(tmp_path: Path) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}]
    rules.append({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
    assert steps(tmp_path, CORDON, DRAIN, permissions=rules, **NODE) == ""
    assert "drains a node that still takes new pods" in steps(tmp_path, DRAIN, permissions=rules, **NODE)
    beside = {**DRAIN, "needs": []}
    assert "drains a node that still takes new pods" in steps(tmp_path, CORDON, beside, permissions=rules, **NODE)
    assert "a drain lists pods" in steps(tmp_path, CORDON, DRAIN, permissions=rules[:1], **NODE)
    assert "is not for cluster-scoped targets" in steps(tmp_path, CORDON, DRAIN, JOB, permissions=rules, **NODE)


def test_the_example_of_the_guide_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, example_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("verbs: [patch]", "verbs: [get, patch]", "no step needs to get deployments"),
        (
            "verbs: [patch]}",
            "verbs: [patch]}\n    - {apiGroups: [''], resources: [pods], verbs: [delete]}",
            "delete pods",
        ),
        ("  undo: OnFailure", "  undo: Never\n  description: ''", "is never undone, and does not say why"),
        (
            "pods.filter(p, !has(p.metadata.deletionTimestamp)).all(p,",
            "pods.all(a, pods.all(b, pods.all(c, pods.exists(d, a != d)))) && pods.all(p,",
            "walks more than 3 lists inside each other",
        ),
        ("  parameters:\n", "  parameters:\n    - {name: note, description: N, pattern: '.*'}\n", "takes any text"),
    ],
)
def test_finds_what_has_no_limit_or_is_there_for_nothing(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SCALE.replace("  description: |", "  description: |", 1)
    if "description" in new:
        start = text.index("  description: |")
        text = text[:start] + text[text.index("  risk: Medium") :]
    assert old in text
    assert any(said in finding for finding in findings(tmp_path, text.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("expression", "depth"),
    [
        ("target.spec.replicas", 0),
        ("(size(pods) > (1 + 2))", 0),
        ("pods.all(p, p.x) && pods.exists(p, p.y)", 1),
        ("pods.filter(p, p.x).all(p, p.list.exists(c, (c.a || c.b)))", 2),
    ],
)
def test_counts_how_deep_lists_are_walked(expression: str, depth: int) -> None:
    assert nesting(expression) == depth


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Deployment", "deployments"),
        ("NetworkPolicy", "networkpolicies"),
        ("Ingress", "ingresses"),
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ],
)
def test_knows_what_kinds_are_called(kind: str, resource: str) -> None:
    assert plural(kind) == resource
