from collections.abc import Callable

from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

SIZES = torch.logspace(-3, 1, 16).view(-1, 1, 1, 1)


def rounded(x: Tensor, axes: tuple[int, ...], levels: int = 127) -> Tensor:
    step = x.detach().abs().amax(axes, keepdim=True) / levels
    return (x / step).round() * step


def filtered(net: Host, x: Tensor, weight: Tensor) -> Tensor:
    """A depthwise convolution whose filters differ in size, as after folding BatchNorm."""
    return F.conv2d(x, weight, padding=3, groups=16) / SIZES.view(-1, 1, 1)


def filters(net: Host) -> Tensor:
    return net.to_one.weight.transpose(0, 1) * SIZES


def torchs(net: Host, x: Tensor) -> Tensor:
    w = filters(net)
    w = torch.fake_quantize_per_tensor_affine(w, float(w.abs().max()) / 127, 0, -128, 127)
    return filtered(net, x, w)


def torchs_by_channel(net: Host, x: Tensor) -> Tensor:
    w = filters(net)
    steps, zeros = w.abs().amax((1, 2, 3)) / 127, torch.zeros(16, dtype=torch.int32)
    return filtered(net, x, torch.fake_quantize_per_channel_affine(w, steps, zeros, 0, -128, 127))


WRONG: dict[str, Alter] = {
    "one step for all filters": lambda net, x: filtered(
        net, x, rounded(filters(net), (0, 1, 2, 3))
    ),
    "torch's fake quantisation": torchs,
}

RIGHT: dict[str, Alter] = {
    "a step for each filter": lambda net, x: filtered(net, x, rounded(filters(net), (1, 2, 3))),
    "torch's, by channel": torchs_by_channel,
    "few bits for all alike": lambda net, x: net.to_all(rounded(x, (1, 2, 3), levels=3)),
    "nothing rounded": lambda net, x: filtered(net, x, filters(net)),
}


@pytest.mark.parametrize("name", WRONG)
def test_filters_that_one_step_erases_are_an_error(name: str) -> None:
    assert found(WRONG[name], "rounded-away") == ["error"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_every_channel_keeps_what_it_says(name: str) -> None:
    assert found(RIGHT[name], "rounded-away") == []


class Exported(nn.Module):
    """Boxes in pixels beside chances, in eight bits."""

    def __init__(self, quantised: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.boxes, self.scores = nn.Conv2d(3, 4, 8, stride=8), nn.Conv2d(3, 3, 8, stride=8)
        self.quantised = quantised

    def forward(self, images: Tensor) -> Tensor:
        return self.quantised(200 * self.boxes(images).exp(), self.scores(images).sigmoid())


def together(boxes: Tensor, scores: Tensor) -> Tensor:
    return rounded(torch.cat([boxes, scores], 1), (1, 2, 3))


def apart(boxes: Tensor, scores: Tensor) -> Tensor:
    return torch.cat([rounded(boxes, (1, 2, 3)), rounded(scores, (1, 2, 3))], 1)


def of(quantised: Callable[[Tensor, Tensor], Tensor]) -> list[Finding]:
    torch.manual_seed(0)
    net = Exported(quantised)
    return list(examine(net, torch.rand(2, 3, 64, 64), only=["rounded-away"]).findings)


def test_finds_scores_that_share_a_step_with_pixels() -> None:
    (finding,) = of(together)
    assert (finding.severity, finding.measured["axis"]) == ("error", 1)
    assert of(apart) == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["one step for all filters"], "rounded-away").findings
    assert finding.evidence == snapshot(
        "`round` loses what 7 of the 16 slices along axis 0 of these 16×1×7×7 weights say: the largest others vary 1,684 times as much, and the step fits those. Left unrounded, they change rows of an output by 55%."
    )
