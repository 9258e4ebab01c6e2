from inline_snapshot import snapshot
import pytest
from small_detector import SIZE, SmallDetector, anchors_outside, rightly, transposed
from test_misplaced_row import Queries
import torch
from torch import Tensor, nn

from pocketdet.doctor import Report, examine


def examined(model: nn.Module) -> Report:
    return examine(model, torch.rand(2, 3, *SIZE), only=["disagreeing-outputs"])


@pytest.mark.parametrize("layout", [anchors_outside, transposed])
@pytest.mark.parametrize("head", ["reg", "cls"])
def test_one_head_in_another_order_is_an_error_at_that_head(layout, head: str) -> None:
    (finding,) = examined(SmallDetector(**{head: layout})).findings
    assert (finding.severity, finding.where) == ("error", f"{head}_head")


@pytest.mark.parametrize("layout", [rightly, anchors_outside, transposed])
def test_heads_in_the_same_order_are_clear(layout) -> None:
    (result,) = examined(SmallDetector(reg=layout, cls=layout)).results
    assert result.outcome == "clear"


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.boxes = Queries()
        self.scores = Queries()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(images), self.scores(images)[..., :2]


def test_queries_that_look_everywhere_do_not_disagree() -> None:
    assert examined(TwoHeads()).findings == ()


def test_reads_well() -> None:
    report = examined(SmallDetector(cls=transposed))
    assert report.findings[0].evidence == snapshot(
        "87% of the rows of output['logits'] look elsewhere than the same rows of output['deltas'] (small_detector.py:22): row 290 at (62, 8) px and at (4, 48) px."
    )
