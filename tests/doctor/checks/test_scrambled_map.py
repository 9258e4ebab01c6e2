from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

Branch = Callable[["Merged", Tensor], Tensor]


class Merged(nn.Module):
    """A branch that is added to its input."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.down, self.up = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 32, 1)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Conv2d(8, 4, 3, padding=1)
        self.branch = branch

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images).relu()
        return self.head(x + self.branch(self, x))


def depth_to_space(net: Merged, x: Tensor, order: tuple[int, ...]) -> Tensor:
    y = net.up(net.down(x).relu())
    b, c, h, w = y.shape
    return y.view(b, c // 4, 2, 2, h, w).permute(order).reshape(b, c // 4, 2 * h, 2 * w)


def windows(net: Merged, x: Tensor, *, undone: bool) -> Tensor:
    b, c, h, w = x.shape
    cut = x.view(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
    cut = net.attend(cut, cut, cut)[0]
    if undone:
        cut = cut.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5)
    return cut.reshape(b, h, w, c).permute(0, 3, 1, 2)


def pooled(net: Merged, x: Tensor) -> Tensor:
    coarse = F.adaptive_avg_pool2d(x, 4)
    return net.down(x).mean() + F.interpolate(coarse, size=x.shape[-2:], mode="bilinear")


WRONG: dict[str, Branch] = {
    "blocks beside each other": lambda net, x: depth_to_space(net, x, (0, 1, 2, 4, 3, 5)),
    "channels viewed as places": lambda net, x: net.up(net.down(x).relu()).view(x.shape),
    "windows not undone": lambda net, x: windows(net, x, undone=False),
}

RIGHT: dict[str, Branch] = {
    "depth to space": lambda net, x: depth_to_space(net, x, (0, 1, 4, 2, 5, 3)),
    "torch's": lambda net, x: F.pixel_shuffle(net.up(net.down(x).relu()), 2),
    "windows": lambda net, x: windows(net, x, undone=True),
    "pooling and a mean of all": pooled,
    "a plain branch": lambda net, x: F.interpolate(net.down(x), scale_factor=2),
}


def of(branch: Branch) -> list[Finding]:
    torch.manual_seed(0)
    report = examine(Merged(branch), torch.rand(2, 3, 128, 128), only=["scrambled-map"])
    return list(report.findings)


@pytest.mark.parametrize("name", WRONG)
def test_finds_a_map_in_disorder(name: str) -> None:
    assert [str(f.severity) for f in of(WRONG[name])] == ["error"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_maps_in_order(name: str) -> None:
    assert of(RIGHT[name]) == []


def test_reads_well() -> None:
    (finding,) = of(WRONG["blocks beside each other"])
    assert finding.evidence == snapshot(
        "The operands of `add`, 2×8×64×64 and 2×8×64×64, look at different places, in no order: 97% of the cells of the one look elsewhere than any straight rule from the other's would have it, by 29 px in the median."
    )
