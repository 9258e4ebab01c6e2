from inline_snapshot import snapshot
import pytest
from small_detector import SIZE, SmallDetector, anchors_outside, transposed, without_permute
from test_misplaced_row import line_of
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine


def examined(model: nn.Module, *, size: tuple[int, int] = SIZE) -> list[Finding]:
    report = examine(model, torch.rand(2, 3, *size), only=["scrambled-row"])
    assert report.results[0].outcome in ("clear", "found"), report.results[0].reason
    return list(report.findings)


def test_a_view_without_permute_is_an_error_at_the_view() -> None:
    (finding,) = examined(SmallDetector(cls=without_permute))
    assert (finding.severity, finding.where) == ("error", "cls_head")
    assert finding.source == line_of("scrambled")


class Levels(nn.Module):
    """Two levels, joined and squashed, of which one may be scrambled."""

    def __init__(self, *, is_scrambled: bool) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 15, 8, stride=8)
        self.coarse = nn.Conv2d(3, 15, 16, stride=16)
        self.is_scrambled = is_scrambled

    def forward(self, images: Tensor) -> Tensor:
        fine, coarse = self.fine(images), self.coarse(images)
        rows = fine.permute(0, 2, 3, 1).reshape(len(images), -1, 5)
        if self.is_scrambled:
            return torch.cat([rows, coarse.reshape(len(images), -1, 5)], 1).sigmoid()
        return torch.cat([rows, coarse.permute(0, 2, 3, 1).reshape(len(images), -1, 5)], 1)


def test_the_level_that_is_scrambled_is_named() -> None:
    assert [f.where for f in examined(Levels(is_scrambled=True))] == ["coarse"]
    assert examined(Levels(is_scrambled=False)) == []


class Tokens(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 24, 8, stride=8)
        sizes = {"mixing": 12 * 16, "lines": 16, "patches": 24 * 4}
        self.head = nn.Linear(sizes.get(how, 24), 6)
        self.how = how

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(images)
        b, c, h, w = x.shape
        if self.how == "scrambled":
            return self.head(x.view(b, h * w, c))
        if self.how == "channels last":
            return self.head(x.flatten(2).transpose(1, 2))
        if self.how == "mixing":
            return self.head(x.flatten(2))
        if self.how == "lines":
            return self.head(x.reshape(b, c * h, w))
        if self.how == "undone":
            return self.head(x.view(b, h * w, c).view(b, c, h, w).permute(0, 2, 3, 1))
        patches = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
        return self.head(patches.reshape(b, h * w // 4, c * 4))


def test_tokens_made_by_a_view_are_scraps() -> None:
    (finding,) = examined(Tokens("scrambled"))
    assert (finding.severity, finding.where) == ("error", "body")


@pytest.mark.parametrize("how", ["channels last", "mixing", "lines", "undone", "patches"])
def test_other_ways_to_make_rows_are_clear(how: str) -> None:
    assert examined(Tokens(how)) == []


def test_rows_in_an_unusual_order_are_whole() -> None:
    assert examined(SmallDetector(reg=anchors_outside, cls=transposed)) == []


def test_reads_well() -> None:
    (finding,) = examined(SmallDetector(reg=without_permute))
    assert finding.evidence == snapshot(
        "`view` makes 2×576×4 rows of the 12×12×16 map, and the output reads each as one place, but in 100% of them the 4 entries are several: those of row 576 run from row 0 column 0 to row 0 column 3 in channel 0."
    )
