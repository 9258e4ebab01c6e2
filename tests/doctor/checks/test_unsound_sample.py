from dataclasses import replace

from data_report import findings_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, altered, examples
import torch
from torch import Tensor

CHECK = "unsound-sample"


def sized(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def test_sound_samples_are_clear() -> None:
    assert findings_of(CHECK, SOUND) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (sized, "read as (x, y, width, height)"),
        (lambda boxes: boxes / 96, "like shares of the image"),
        (lambda boxes: boxes + 200, "lie outside of their image"),
        (lambda boxes: boxes * torch.nan, "are not finite"),
    ],
)
def test_boxes_that_cannot_be_right_are_an_error(change, words: str) -> None:
    samples = [replace(e, boxes_xyxy=change(e.boxes_xyxy)) for e in examples()]
    findings = findings_of(CHECK, altered(samples=samples))
    assert findings[0].severity == "error"
    assert words in findings[0].evidence


def test_labels_that_begin_at_one_are_an_error() -> None:
    samples = [replace(e, labels=e.labels + 1) for e in examples()]
    (finding,) = findings_of(CHECK, altered(samples=samples))
    assert (finding.severity, "outside of 0 to 3" in finding.evidence) == ("error", True)


def test_boxes_that_hang_over_the_border_are_an_info() -> None:
    samples = [replace(e, boxes_xyxy=e.boxes_xyxy - 12) for e in examples()]
    assert [f.severity for f in findings_of(CHECK, altered(samples=samples))] == ["info"]


def test_boxes_and_labels_must_be_as_many() -> None:
    samples = [replace(e, labels=e.labels[:2]) for e in examples()]
    (finding,) = findings_of(CHECK, altered(samples=samples))
    assert finding.evidence == "Sample 0 has 3 boxes and 2 labels."


def test_reads_well() -> None:
    samples = [replace(e, boxes_xyxy=sized(e.boxes_xyxy)) for e in examples()]
    assert findings_of(CHECK, altered(samples=samples))[0].evidence == snapshot(
        "16 of 24 boxes end before they begin, or are empty, such as (53.14, 14.11, 26.7, 26.65) of class 1 in sample 0. All boxes fit their image if they are read as (x, y, width, height)."
    )
