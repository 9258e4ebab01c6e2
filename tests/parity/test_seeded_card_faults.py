"""A file whose card says something else: parity names the field."""

from dataclasses import replace
from pathlib import Path
import re
from typing import Any

from exported_file import file_card, lively, parity, pictures, write_file
import pytest

from pocketdet.conventions import ClassList
from pocketdet.runtime import Card, PriorOutputs


def with_contract(card: Card, **changes: Any) -> Card:
    contract = replace(card.contract, **changes)
    return replace(card, input=replace(card.input, contract=contract))


def with_variances(card: Card) -> Card:
    assert isinstance(card.outputs, PriorOutputs)
    return replace(card, outputs=replace(card.outputs, variances=(0.2, 0.2, 0.1, 0.1)))


FAULTS: dict[str, tuple[Any, str]] = {
    "channel order": (
        lambda card: with_contract(card, channel_order="RGB"),
        "`channel_order` is BGR in A and RGB in B",
    ),
    "mean": (lambda card: with_contract(card, mean=(0.0, 0.0, 0.0)), "`mean` is"),
    "scale": (
        lambda card: with_contract(card, scale=(0.004, 0.004, 0.004)),
        "`scale` is (0.017, 0.017, 0.017) in A and (0.004, 0.004, 0.004) in B",
    ),
    "interpolation": (
        lambda card: with_contract(card, interpolation="area"),
        "`interpolation` is linear in A and area in B",
    ),
    "letterbox": (lambda card: with_contract(card, resize="letterbox"), "`resize` is warp in A"),
    "class list": (
        lambda card: replace(card, classes=ClassList.of(["class1", "class2", "class0"])),
        "`classes` of B are those of A rotated by 1",
    ),
    "variances": (with_variances, "those of centres and sizes are swapped"),
    "threshold": (
        lambda card: replace(card, detection=replace(card.detection, iou_threshold=0.6)),
        "`iou_threshold` is 0.45 in A and 0.6 in B",
    ),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_the_field_is_named(change: Any, says: str, tmp_path: Path) -> None:
    detector = lively()
    card = change(file_card(detector))
    report = parity(detector, write_file(detector, tmp_path / "a.onnx", card=card), pictures(1))
    assert report.verdict.startswith("differs: ")
    assert says in report.causes[0]
    assert len(report.causes) == 1  # the network itself is the same, and is not blamed


@pytest.mark.parametrize(
    "change", [{"interpolation": "area"}, {"resize": "letterbox"}, {"channel_order": "RGB"}]
)
def test_what_is_fed_otherwise_is_measured_in_pixels(
    change: dict[str, str], tmp_path: Path
) -> None:
    detector = lively()
    card = with_contract(file_card(detector), **change)
    report = parity(detector, write_file(detector, tmp_path / "a.onnx", card=card), pictures(1))
    found = re.search(r"by ([\d.]+) of 255 a value", report.causes[0])
    assert found is not None, report.causes
    assert 0.5 < float(found[1]) < 200
