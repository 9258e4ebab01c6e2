from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

HEADS, WIDTH = 4, 6
Move = Callable[[Tensor], Tensor]


def by_heads(x: Tensor) -> Tensor:
    return x.unflatten(2, (HEADS, WIDTH)).transpose(1, 2)


def together(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def folded(x: Tensor) -> Tensor:
    return x.reshape(len(x), HEADS, -1, WIDTH)


def unfolded(x: Tensor) -> Tensor:
    return x.reshape(len(x), -1, HEADS * WIDTH)


class Tokens(nn.Module):
    """Patches, one layer of attention, and a number for each patch."""

    def __init__(self, split: Move, join: Move, *, fused: bool = False) -> None:
        super().__init__()
        dim = HEADS * WIDTH
        self.embed = nn.Conv2d(3, dim, 4, stride=4)
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.out, self.head = nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.split, self.join, self.fused = split, join, fused

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        q, k, v = (self.split(line(x)) for line in (self.q, self.k, self.v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.mT / WIDTH**0.5).softmax(-1) @ v
        return self.head(x + self.out(self.join(y)))


class MultiQuery(Tokens):
    """All heads' queries are rows of one matrix; keys and values have one head."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        b, n, c = x.shape
        q = self.q(x).view(b, n * HEADS, WIDTH)
        k, v = self.k(x)[..., :WIDTH], self.v(x)[..., :WIDTH]
        y = (q @ k.mT / WIDTH**0.5).softmax(-1) @ v
        return self.head(x + self.out(y.view(b, n, c)))


class Windows(Tokens):
    """Attention in windows of 2×2 patches, written with folds of six axes."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images)
        b, c, h, w = x.shape
        cut = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        q, k, v = (self.split(line(cut)) for line in (self.q, self.k, self.v))
        y = self.out(self.join((q @ k.mT).softmax(-1) @ v))
        y = y.view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h * w, c)
        return self.head(x.flatten(2).transpose(1, 2) + y)


class BetweenChannels(Tokens):
    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        q, k, v = (by_heads(line(x)).mT for line in (self.q, self.k, self.v))
        y = (q @ k.mT).softmax(-1) @ v
        return self.head(x + self.out(y.flatten(1, 2).mT))


def examined(net: nn.Module) -> list[Finding]:
    torch.manual_seed(0)
    report = examine(net, torch.rand(2, 3, 32, 32), only=["scrambled-head"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
@pytest.mark.parametrize(
    ("split", "join", "count"),
    [(folded, unfolded, 2), (folded, together, 1), (by_heads, unfolded, 1)],
)
def test_finds_heads_that_are_folded(split: Move, join: Move, count: int, fused: bool) -> None:  # noqa: FBT001
    findings = examined(Tokens(split, join, fused=fused))
    assert [str(f.severity) for f in findings] == ["error"] * count


@pytest.mark.parametrize("kind", [Tokens, MultiQuery, Windows, BetweenChannels])
def test_is_clear_for_right_attention(kind: type[Tokens]) -> None:
    assert examined(kind(by_heads, together)) == []


def test_is_clear_for_torchs_attention() -> None:
    layer = nn.TransformerEncoderLayer(24, 4, 32, batch_first=True)
    net = nn.Sequential(
        nn.Conv2d(3, 24, 4, 4), nn.Flatten(2), nn.Unflatten(1, (24,)), Turn(), layer
    )
    assert examined(net) == []


class Turn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def test_reads_well() -> None:
    first, second = examined(Tokens(folded, unfolded))
    assert first.evidence == snapshot(
        "`view` makes 2×4×64×6 of 2×64×24: in 100% of the matrices that `bmm` reads, the rows of one head are different features of several tokens."
    )
    assert second.evidence == snapshot(
        "`view` makes 2×64×24 of 2×4×64×6: `addmm` reads each row as one token's features, and in 100% of them they are one head's of several tokens."
    )
