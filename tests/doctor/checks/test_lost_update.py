from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import examined, line_of, serious

Update = Callable[[Tensor, Tensor], Tensor | None]


class Averaging(nn.Module):
    """Keeps a running mean of what passes, and subtracts it."""

    def __init__(self, update: Update) -> None:
        super().__init__()
        self.line = nn.Conv2d(3, 8, 3)
        self.out = nn.Conv2d(8, 4, 1)
        self.register_buffer("seen", torch.zeros(8))
        self.update = update

    def forward(self, x: Tensor) -> Tensor:
        y = self.line(x)
        if self.training:
            new = self.update(self.seen, y.detach().mean((0, 2, 3)))
            if new is not None:
                self.seen = new
        return self.out((y - self.seen[:, None, None]).relu())


def multiplied(seen: Tensor, mean: Tensor) -> None:
    seen.mul(0.9).add(mean, alpha=0.1)  # dropped


def blended(seen: Tensor, mean: Tensor) -> None:
    torch.lerp(seen, mean, 0.1)


def kept_in_a_name(seen: Tensor, mean: Tensor) -> None:
    seen = 0.9 * seen + 0.1 * mean


def in_place(seen: Tensor, mean: Tensor) -> None:
    seen.mul_(0.9).add_(mean, alpha=0.1)


def copied(seen: Tensor, mean: Tensor) -> None:
    seen.copy_(0.9 * seen + 0.1 * mean)


def assigned(seen: Tensor, mean: Tensor) -> Tensor:
    return 0.9 * seen + 0.1 * mean


@pytest.mark.parametrize("update", [multiplied, blended, kept_in_a_name])
def test_finds_an_update_that_is_dropped(update: Update) -> None:
    assert serious(examined("lost-update", Averaging(update))) == [("", "error")]


@pytest.mark.parametrize("update", [in_place, copied, assigned])
def test_is_clear_where_it_is_written(update: Update) -> None:
    assert examined("lost-update", Averaging(update)) == []


def test_is_clear_for_torchs_norms() -> None:
    assert examined("lost-update", nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))) == []


def test_reads_well_and_names_the_line() -> None:
    (finding,) = examined("lost-update", Averaging(multiplied))
    assert finding.source == line_of(__file__, "dropped")
    assert finding.evidence == snapshot(
        "`add` computes new values for the buffer `seen` (8) in a training pass, and they are dropped: nothing writes to it. Evaluation reads it."
    )
