from pathlib import Path

from inline_snapshot import snapshot
import pytest
import small_detector
from small_detector import (
    SIZE,
    Overlooking,
    SmallDetector,
    anchors_outside,
    mirrored,
    row_boxes,
    transposed,
)
import torch
from torch import Tensor, nn

from pocketdet.doctor import Report, examine


def line_of(fault: str) -> str:
    lines = Path(small_detector.__file__).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, start=1) if f"# FAULT {fault}" in line]
    return f"small_detector.py:{number}"


def examined(model: nn.Module, boxes: Tensor | list[Tensor]) -> Report:
    images = torch.rand(1, 3, *SIZE)
    return examine(model, images, row_boxes=boxes, only=["misplaced-row"])


@pytest.mark.parametrize(
    ("layout", "line"),
    [
        (anchors_outside, line_of("anchors outside")),
        (transposed, line_of("transposed")),
        (mirrored, None),
    ],
)
def test_rows_in_another_order_than_the_priors_are_an_error_at_the_head(layout, line) -> None:
    (finding,) = examined(SmallDetector(reg=layout), row_boxes()).findings
    assert (finding.severity, finding.where) == ("error", "reg_head")
    assert line is None or finding.source == line


def test_rows_that_look_at_their_boxes_are_clear() -> None:
    report = examined(SmallDetector(), row_boxes())
    assert report.results[0].outcome == "clear"


@pytest.mark.parametrize("layout", [anchors_outside, transposed, mirrored])
def test_behind_a_deep_path_that_sees_everything_rows_are_told_by_patches(layout) -> None:
    (finding,) = examined(Overlooking(reg=layout), row_boxes()).findings
    assert (finding.severity, finding.where) == ("error", "reg_head")
    assert "does not go with their boxes" in finding.evidence


def test_sound_rows_behind_a_deep_path_are_clear() -> None:
    assert examined(Overlooking(), row_boxes()).results[0].outcome == "clear"


def test_boxes_may_be_given_one_tensor_an_output() -> None:
    boxes = [row_boxes(), row_boxes()]
    assert examined(SmallDetector(), boxes).results[0].outcome == "clear"
    (finding,) = examined(SmallDetector(), [boxes[0], boxes[1].flip(0)]).findings
    assert finding.where == "cls_head"


def test_priors_with_x_and_y_exchanged_are_explained() -> None:
    (finding,) = examined(SmallDetector(), row_boxes()[:, [1, 0, 3, 2]]).findings
    assert (finding.severity, finding.where) == ("error", "reg_head")
    assert "x and y are exchanged" in finding.evidence
    assert "does it in `cls_head`" in finding.evidence


@pytest.mark.parametrize(("cells", "severity"), [(0.0, None), (1.0, "warning"), (2.0, "error")])
def test_a_shift_is_as_grave_as_it_is_large(cells: float, severity: str | None) -> None:
    report = examined(SmallDetector(), row_boxes() + cells * 8)
    assert {f.severity.value for f in report.findings} == ({severity} if severity else set())


class Queries(nn.Module):
    """Rows that are no places: each looks at the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 4, stride=4)
        self.queries = nn.Parameter(torch.randn(50, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.body(images).flatten(2).transpose(1, 2)
        attention = (self.queries @ tokens.transpose(1, 2)).softmax(-1)
        return self.head(attention @ tokens)


def test_rows_that_look_everywhere_are_not_judged() -> None:
    (result,) = examined(Queries(), torch.rand(50, 4)).results
    assert (result.outcome, result.reason) == (
        "not run",
        "every output row looks at the whole image",
    )


def test_reads_well() -> None:
    report = examined(SmallDetector(reg=mirrored), row_boxes())
    assert report.findings[0].evidence == snapshot(
        "504 of 576 rows of output['deltas'] look elsewhere than their box: row 393 claims the middle (28, 68) and looks at (99, 67) px, 71 px away (the median). They look at the mirror image of their box."
    )
