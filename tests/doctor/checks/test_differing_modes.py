from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious

Step = Callable[["Modal", Tensor], Tensor]


class Modal(nn.Module):
    """A block that may do something else in training; a layer stands before and behind it."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 8, 3, padding=1)
        self.line = nn.Conv2d(8, 8, 3, padding=1)
        self.after = nn.Conv2d(8, 4, 1)
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("variance", torch.ones(8))
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.step(self, 2 * self.before(x)).relu())


def gained(net: Modal, x: Tensor) -> Tensor:
    y = net.line(x)
    return x + 3 * y if net.training else x + y


def bent(net: Modal, x: Tensor) -> Tensor:
    y = net.line(x)
    return F.silu(y) if net.training else y


def dropped(net: Modal, x: Tensor, *, scaled: bool) -> Tensor:
    y = 2 * net.line(x)
    if net.training:
        kept = torch.rand(len(x), 8, 1, 1) < 0.5
        y = y * kept / (0.5 if scaled else 1)
    return x + y


def normed(net: Modal, x: Tensor, *, moves: bool) -> Tensor:
    x = 4 * x + 1
    mean, variance = net.mean, net.variance
    if net.training:
        variance, mean = torch.var_mean(x, (0, 2, 3))
        if moves:
            with torch.no_grad():
                net.mean.lerp_(mean, 0.05)
                net.variance.lerp_(variance, 0.05)
    return (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()


WRONG: dict[str, Step] = {
    "a factor": gained,
    "an activation": bent,
    "dropped, and not scaled": lambda net, x: dropped(net, x, scaled=False),
    "running values stand still": lambda net, x: normed(net, x, moves=False),
}

RIGHT: dict[str, Step] = {
    "one way": lambda net, x: net.line(x).relu(),
    "dropped and scaled": lambda net, x: dropped(net, x, scaled=True),
    "dropout": lambda net, x: F.dropout2d(net.line(x), 0.3, training=net.training),
    "running values": lambda net, x: normed(net, x, moves=True),
    "noise of mean 0": lambda net, x: x + torch.randn_like(x) * net.training,
}


@pytest.mark.parametrize("name", WRONG)
def test_finds_what_only_one_mode_computes(name: str) -> None:
    ((where, severity),) = serious(examined("differing-modes", Modal(WRONG[name])))
    assert (where, severity) == ("", "error" if "stand still" in name else "warning")


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_training_comes_to_the_same(name: str) -> None:
    assert serious(examined("differing-modes", Modal(RIGHT[name]))) == []


def test_is_clear_for_outputs_that_evaluation_decodes() -> None:
    class Decoded(Modal):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x)
            return y if self.training else y.sigmoid() * 16

    assert serious(examined("differing-modes", Decoded(RIGHT["one way"]))) == []


def test_reads_well() -> None:
    torch.manual_seed(0)
    (finding,) = examined("differing-modes", Modal(gained))
    assert finding.evidence == snapshot(
        "`convolution` in `after` is given something else in training than in evaluation, by 106% of its size, though all layers before it were given the same; `mul` runs in one mode only."
    )
    assert finding.source is not None
