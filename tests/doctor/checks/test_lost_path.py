from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious

Levels = list[Tensor]
Neck = Callable[["Pyramid", Levels], Levels]


def up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2)


class Pyramid(nn.Module):
    def __init__(self, neck: Neck) -> None:
        super().__init__()
        sides = [(3, 8), (8, 16), (16, 16), (16, 16)]
        self.body = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in sides)
        self.lines = nn.ModuleList(nn.Conv2d(16, 16, 1) for _ in range(3))
        self.joins = nn.ModuleList(nn.Conv2d(32, 16, 3, padding=1) for _ in range(2))
        self.heads = nn.ModuleList(nn.Conv2d(16, 5, 3, padding=1) for _ in range(3))
        self.neck = neck

    def forward(self, x: Tensor) -> Tensor:
        levels: Levels = []
        for layer in self.body:
            x = layer(x).relu()
            levels.append(x)
        levels = [line(m) for line, m in zip(self.lines, levels[1:], strict=True)]
        said = [h(m) for h, m in zip(self.heads, self.neck(self, levels), strict=True)]
        return torch.cat([one.flatten(1) for one in said], 1)


def accumulated(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    middle = middle + up(coarse)
    return [fine + up(middle), middle, coarse]


def joined(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    middle = net.joins[0](torch.cat([middle, up(coarse)], 1)).relu()
    return [net.joins[1](torch.cat([fine, up(middle)], 1)), middle, coarse]


def exchanged(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    return [fine + up(middle) + up(up(coarse)), middle + up(coarse), coarse]


def nested(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    first = fine + up(middle)
    middle = middle + up(coarse)
    return [first + up(middle), middle, coarse]


def straight_through(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    middle = middle + (middle.round() - middle).detach() + up(coarse)
    return [fine + up(middle), middle, coarse]


def passed_over(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    return [fine + up(middle), middle + up(coarse), coarse]


def joined_too_early(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    merged = net.joins[0](torch.cat([middle, up(coarse)], 1)).relu()
    return [net.joins[1](torch.cat([fine, up(middle)], 1)), merged, coarse]


def detached(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    middle = middle + up(coarse.detach())
    return [fine + up(middle), middle, coarse]


def without_gradients(net: Pyramid, levels: Levels) -> Levels:
    fine, middle, coarse = levels
    middle = middle + up(coarse)
    with torch.no_grad():
        top = up(middle)
    return [torch.add(fine, top), middle, coarse]


@pytest.mark.parametrize("neck", [passed_over, joined_too_early, detached, without_gradients])
def test_finds_a_coarse_level_that_is_lost_on_the_way(neck: Neck) -> None:
    assert serious(examined("lost-path", Pyramid(neck), size=64)) == [("", "warning")]


@pytest.mark.parametrize("neck", [accumulated, joined, exchanged, nested, straight_through])
def test_is_clear_where_it_arrives(neck: Neck) -> None:
    assert examined("lost-path", Pyramid(neck), size=64) == []


def test_reads_well() -> None:
    (finding,) = examined("lost-path", Pyramid(passed_over), size=64)
    assert finding.evidence == snapshot(
        "This 16×16×16 level is merged with the 16×8×8 level as it is before that one is merged with the 16×4×4 map (`add` at test_lost_path.py:70): the coarser map reaches no finer level."
    )
    (finding,) = examined("lost-path", Pyramid(detached), size=64)
    assert finding.evidence == snapshot(
        "`add` in `the model` merges a 2×16×8×8 map that `detach()` or `.data` at test_lost_path.py:81 has cut off: the layers before it learn nothing from what is made of the merged map."
    )
