"""The author's guide shows a runbook that does what the guide says."""

from tests.support.guide import example
from tests.support.scene import Scene, happened


def test_the_example_of_the_guide_is_a_measure_that_is_taken_and_put_back(scene: Scene) -> None:
    scene.ask(example(), {"extra": "2"})
    planned = {step.name: step for step in scene.offered().steps}
    assert list(planned) == ["measure", "pods.0", "scale"]
    assert planned["scale"].bounds == "after.spec.replicas <= before.spec.replicas + 5"
    scene.approve()
    taken = scene.reaches("Reverting")
    assert happened(taken, "StepStarted")[-1] == ("StepStarted", "scale")
    assert scene.workload()["spec"]["replicas"] == 3
    scene.cancel()
    assert scene.ends("Succeeded").reason == "Reverted"
    assert scene.workload()["spec"]["replicas"] == 1
