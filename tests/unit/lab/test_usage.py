"""What simulated pods use of a processor: their own need, and their share of what is asked of all of them."""

import pytest

from interlock.lab.kubelet.images import Image, ImageTable
from interlock.lab.kubelet.pods import Pod
from interlock.lab.kubelet.usage import cpu_used

IMAGES = ImageTable({"registry.example/app": {"1": Image.model_validate({"cpu": "20m", "load": "200m"})}})


def pod(*, ready: bool = True, tag: str = "1", limit: str = "") -> Pod:
    resources = {"limits": {"cpu": limit}} if limit else {}
    container = {"name": "c", "image": f"registry.example/app:{tag}", "resources": resources}
    body = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": [container]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }
    return Pod.model_validate(body)


@pytest.mark.parametrize(
    ("first", "others", "used"),
    [
        (pod(), [], 220),
        (pod(), [pod()], 120),
        (pod(), [pod(ready=False)], 220),
        (pod(limit="100m"), [], 100),
        (pod(tag="typo"), [], 0),
    ],
)
def test_ready_pods_share_the_load(first: Pod, others: list[Pod], used: int) -> None:
    assert cpu_used(first.spec.containers[0], [first, *others], IMAGES) == used
