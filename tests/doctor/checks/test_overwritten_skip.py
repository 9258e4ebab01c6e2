from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious


class First(nn.Module):
    """Activates what it is given."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(act, nn.Conv2d(8, 8, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Called(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.relu_(x))
        return y.add_(x)


class Normed(First):
    """Activates what its own norm made."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(inplace=True)))


class Named(Called):
    """Means the activated features by `x`."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(x)
        return x + self.conv(x)


class Last(Called):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(x + self.conv(x))


def net(*blocks: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), *blocks, nn.Conv2d(8, 4, 1))


@pytest.mark.parametrize("block", [First(nn.ReLU(inplace=True)), First(nn.SiLU(True)), Called()])
def test_finds_a_skip_that_was_activated(block: nn.Module) -> None:
    ((where, severity),) = serious(examined("overwritten-skip", net(block)))
    assert (where[:1], severity) == ("1", "warning")


@pytest.mark.parametrize("blocks", [(First(nn.ReLU()),), (Normed(),), (Named(),), (Last(), Last())])
def test_is_clear_where_the_skip_carries_what_is_meant(blocks: tuple[nn.Module, ...]) -> None:
    assert examined("overwritten-skip", net(*blocks)) == []


def test_reads_well() -> None:
    (finding,) = examined("overwritten-skip", net(First(nn.ReLU(inplace=True))))
    assert finding.evidence == snapshot(
        "`relu_` overwrites the 2×8×16×16 features that `1` was given, and `add` at test_overwritten_skip.py:16 adds them to the branch afterwards: the skip carries the activated features, not those that came in."
    )
