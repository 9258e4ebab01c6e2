from pathlib import Path

from inline_snapshot import snapshot
import pytest
import small_detector
from small_detector import (
    Overlooking,
    SmallDetector,
    mirrored,
    rightly,
    transposed,
    without_permute,
)
from small_pipeline import SIZE, SOUND, STRIDE, altered, encode, examples
import torch
from torch import Tensor, nn

from pocketdet.doctor import DetectionPipeline, Report, examine


def line_of(fault: str) -> str:
    lines = Path(small_detector.__file__).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, start=1) if line.endswith(f"# FAULT {fault}")]
    return f"small_detector.py:{number}"


def examined(model: nn.Module, pipeline: DetectionPipeline = SOUND) -> Report:
    images = torch.stack([one.image for one in examples()[:2]]).float() / 255
    report = examine(model, images, pipeline=pipeline, only=["misplaced-answer"])
    assert report.results[0].outcome in ("found", "clear", "not run"), report.results[0].reason
    return report


@pytest.mark.parametrize(
    ("layout", "line"), [(without_permute, "scrambled"), (transposed, "transposed")]
)
def test_rows_in_another_order_than_the_priors_are_an_error_at_their_line(layout, line) -> None:
    (finding,) = examined(SmallDetector(cls=layout)).findings
    assert (finding.severity, finding.where) == ("error", "cls_head")
    assert finding.source == line_of(line)


def test_rows_that_look_at_their_objects_are_clear() -> None:
    report = examined(SmallDetector(reg=rightly, cls=rightly))
    assert [r.outcome.value for r in report.results] == ["clear"]


@pytest.mark.parametrize("layout", [without_permute, transposed, mirrored])
def test_behind_a_deep_path_that_sees_everything_rows_are_told_by_patches(layout) -> None:
    (finding,) = examined(Overlooking(cls=layout)).findings
    assert (finding.severity, finding.where) == ("error", "cls_head")
    assert "does not go with it" in finding.evidence


def test_sound_rows_behind_a_deep_path_are_clear() -> None:
    assert [r.outcome.value for r in examined(Overlooking()).results] == ["clear"]


def column_by_column(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    cells = SIZE // STRIDE
    deltas, classes = encode(boxes, labels)
    turned = [t.reshape(cells, cells, -1).transpose(0, 1) for t in (deltas, classes)]
    return turned[0].reshape(deltas.shape), turned[1].reshape(classes.shape)


@pytest.mark.parametrize("network", [SmallDetector, Overlooking])
def test_targets_in_another_order_than_sound_rows_are_blamed_on_encode(network) -> None:
    findings = examined(network(), altered(encode=column_by_column)).findings
    assert {(f.severity.value, f.where) for f in findings} == {("error", "")}
    assert all(f.source and f.source.startswith("small_pipeline.py") for f in findings)
    assert all("it is `encode` that takes them for others" in f.evidence for f in findings)


class Everywhere(nn.Module):
    """Rows that look at the whole image, as queries do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 16, 3, 4, 1)
        self.head = nn.Linear(16, 432 * 9)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.head(self.body(images).relu().mean((2, 3))).reshape(len(images), 432, 9)
        return rows[..., :4], rows[..., 4:]


def test_rows_that_are_no_places_are_not_judged() -> None:
    (result,) = examined(Everywhere()).results
    assert result.outcome == "not run"


def test_reads_well() -> None:
    (finding,) = examined(SmallDetector(cls=mirrored)).findings
    assert finding.evidence.partition("look elsewhere")[0] == snapshot(
        "71% of the values of output['logits'] that stand for an object, by `encode` and `perfect`, "
    )
    assert finding.evidence.endswith("They look at the mirror image of it.")
