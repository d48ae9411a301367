"""The table of images, and the shop and faults that are written for it."""

import re
from importlib.resources import files

import pytest
import yaml

from interlock.lab.errors import LabError
from interlock.lab.faults import FAULTS, find_fault
from interlock.lab.kubelet.images import Image, ImageTable, quantity, split_reference


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nginx", ("docker.io/library/nginx", "latest")),
        ("team/app:1", ("docker.io/team/app", "1")),
        ("localhost:5000/app:1", ("localhost:5000/app", "1")),
        ("registry.example/a/b:2.0", ("registry.example/a/b", "2.0")),
        ("registry.example/a@sha256:ab", ("registry.example/a", "sha256:ab")),
    ],
)
def test_references_are_completed_as_the_runtime_does(reference: str, expected: tuple[str, str]) -> None:
    assert split_reference(reference) == expected


def test_every_image_of_the_shop_is_in_the_table() -> None:
    table = ImageTable.load()
    shop = files("interlock.lab").joinpath("shop")
    text = "".join(item.read_text() for item in shop.iterdir() if item.name.endswith(".yaml"))
    images = set(re.findall(r"image: (\S+)", text))
    assert len(images) == 7
    assert all(isinstance(table.find(image), Image) for image in images)


def test_no_manifest_of_the_shop_tells_what_its_images_do() -> None:
    shop = files("interlock.lab").joinpath("shop")
    for item in shop.iterdir():
        if item.name.endswith(".yaml"):
            for document in yaml.safe_load_all(item.read_text()):
                assert not document["metadata"].get("annotations")


def test_each_fault_can_be_taken_back_and_says_what_to_expect() -> None:
    rules = files("interlock.lab").joinpath("rules.yaml").read_text()
    for fault in FAULTS.values():
        assert fault.breaks
        assert fault.mends
        assert all(f"alert: {alert}\n" in rules for alert in fault.alerts)


def test_an_unknown_fault_names_those_there_are() -> None:
    with pytest.raises(LabError, match="crash-after-change"):
        find_fault("nope")


def test_a_quantity_that_is_none_says_how_to_write_one() -> None:
    assert quantity("180Mi") == 180 * 2**20
    with pytest.raises(ValueError, match="write 180Mi"):
        quantity("lots")
