from inline_snapshot import snapshot
import pytest
from small_pyramid import (
    SmallPyramid,
    bilinear,
    corners,
    mirrored,
    nearest,
    padded,
    rolled,
    turned,
)
import torch
from torch import Tensor, nn

from pocketdet.doctor import Report, examine


def examined(model: nn.Module) -> Report:
    return examine(model, torch.rand(2, 3, 96, 96), only=["shifted-merge"])


@pytest.mark.parametrize(
    ("upsample", "words"),
    [
        (mirrored, "mirrored: left and right exchanged"),
        (turned, "rows of the one lying along columns of the other"),
        (rolled, "cells of 8 px"),
        (padded, "at another scale"),
    ],
)
def test_a_map_that_lies_elsewhere_is_an_error_at_the_sum(upsample, words: str) -> None:
    (finding,) = examined(SmallPyramid(upsample)).findings
    assert finding.severity == "error"
    assert words in finding.evidence
    assert finding.source is not None
    assert finding.source.startswith("small_pyramid.py:")


@pytest.mark.parametrize("upsample", [nearest, bilinear, corners])
def test_the_usual_ways_to_upsample_are_clear(upsample) -> None:
    assert examined(SmallPyramid(upsample)).results[0].outcome == "clear"


class Residual(nn.Module):
    """Branches of different depth, or copies that are shifted on purpose."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.deep = nn.Sequential(*[nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)])
        self.how = how

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        if self.how == "deep":
            return x + self.deep(x)
        if self.how == "pooled":
            return self.deep(x) * x.mean((2, 3), keepdim=True).sigmoid().expand_as(x)
        if self.how == "copies":
            return torch.cat([x, x.roll(3, -1), x.roll(-3, -2)], 1)
        return torch.cat([x, self.deep(x).transpose(1, 2).transpose(1, 2)], 1)


@pytest.mark.parametrize("how", ["deep", "pooled", "copies", "joined"])
def test_branches_that_look_alike_or_apart_on_purpose_are_clear(how: str) -> None:
    assert examined(Residual(how)).findings == ()


def test_reads_well() -> None:
    assert examined(SmallPyramid(rolled)).findings[0].evidence == snapshot(
        "The operands of `add`, 2×24×24×24 and 2×24×24×24, look at different places: apart by 17 px in x and 2 in y, 2.1 cells of 8 px (the coarser map's)."
    )
