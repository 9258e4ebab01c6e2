from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
from training_nets import examined, serious


class Tokens(nn.Module):
    def __init__(self, norm: nn.Module, order: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 4, stride=4)
        self.line, self.head = nn.Linear(12, 12), nn.Linear(12, 2)
        self.norm, self.order = norm, order

    def forward(self, images: Tensor) -> Tensor:
        x = self.line(self.embed(images).flatten(2).mT)
        return self.head(self.order(self.norm(self.order(x))).relu())


def as_they_are(x: Tensor) -> Tensor:
    return x


def turned(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(16), nn.GroupNorm(4, 16)])
def test_finds_a_norm_of_places(norm: nn.Module) -> None:
    assert serious(examined("normed-position", Tokens(norm, as_they_are))) == [("norm", "warning")]


def test_finds_a_layer_norm_of_places() -> None:
    found = examined("normed-position", Tokens(nn.LayerNorm(16), turned))
    assert serious(found) == [("norm", "warning")]


@pytest.mark.parametrize(
    ("norm", "order"),
    [
        (nn.BatchNorm1d(12), turned),
        (nn.GroupNorm(3, 12), turned),
        (nn.LayerNorm(12), as_they_are),
        (
            nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(12), nn.Unflatten(0, (2, 16))),
            as_they_are,
        ),
    ],
)
def test_is_clear_for_norms_of_features(norm: nn.Module, order: Callable[[Tensor], Tensor]) -> None:
    assert examined("normed-position", Tokens(norm, order)) == []


def test_reads_well() -> None:
    (finding,) = examined("normed-position", Tokens(nn.BatchNorm1d(16), as_they_are))
    assert finding.evidence == snapshot(
        "`native_batch_norm` reads axis 1 of 2×16×12 as channels, and it is the 16 places of what `line` made; its 12 features are axis 2."
    )
