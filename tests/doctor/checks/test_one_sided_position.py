from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import examined, serious

CHECK = "one-sided-position"
SIDE = 8


def sines(size: int) -> tuple[Tensor, Tensor]:
    """Give the sines of rows and of columns, (size, size, 8) each."""
    steps = torch.arange(size).float()[:, None] / 3 ** torch.arange(4)
    line = torch.cat((steps.sin(), steps.cos()), 1)
    return line[:, None].expand(size, size, 8), line[None].expand(size, size, 8)


def both(size: int) -> Tensor:
    return torch.cat(sines(size), -1)


def columns_twice(size: int) -> Tensor:
    _, x = sines(size)
    return torch.cat((x, x), -1)


def rows_twice(size: int) -> Tensor:
    y, _ = sines(size)
    return torch.cat((y, y), -1)


class Tokens(nn.Module):
    def __init__(self, embedding, *, is_batch_first: bool = True) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 16, 3, 2, 1)
        self.head = nn.Linear(16, 4)
        self.embedding, self.is_batch_first = embedding, is_batch_first

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.body(image).flatten(2).transpose(1, 2)
        place = self.embedding(SIDE).flatten(0, 1)
        if self.is_batch_first:
            return self.head(tokens + place[None])
        return self.head(tokens.transpose(0, 1) + place[:, None])


class Axial(nn.Module):
    """Rows and columns have tables of their own, added apart to a map."""

    def __init__(self, *, columns: bool = True) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 4, 1)
        self.rows, self.columns = nn.Embedding(SIDE, 16), nn.Embedding(SIDE, 16)
        self.has_columns = columns

    def forward(self, image: Tensor) -> Tensor:
        features, index = self.body(image), torch.arange(SIDE)
        rows = self.rows(index).T[None, :, :, None].expand(1, 16, SIDE, SIDE)
        columns = self.columns(index).T[None, :, None, :].expand(1, 16, SIDE, SIDE)
        return self.head((features + rows) + columns if self.has_columns else features + rows)


class Windowed(Tokens):
    """One number a place, the same in all channels."""

    def forward(self, image: Tensor) -> Tensor:
        window = torch.hann_window(SIDE)[:, None, None].expand(SIDE, SIDE, 16)
        return self.head(self.body(image).permute(0, 2, 3, 1) * window[None])


@pytest.mark.parametrize(
    "net",
    [
        Tokens(columns_twice),
        Tokens(rows_twice),
        Tokens(columns_twice, is_batch_first=False),
        Axial(columns=False),
    ],
)
def test_finds_an_embedding_of_one_side(net: nn.Module) -> None:
    assert serious(examined(CHECK, net)) == [("", "warning")]


@pytest.mark.parametrize(
    "net", [Tokens(both), Tokens(both, is_batch_first=False), Axial(), Windowed(both)]
)
def test_is_clear_where_both_sides_are_told_apart(net: nn.Module) -> None:
    assert serious(examined(CHECK, net)) == []


def test_reads_well() -> None:
    (finding,) = examined(CHECK, Tokens(columns_twice))
    assert finding.source is not None
    assert finding.source.startswith("test_one_sided_position.py:")
    assert finding.evidence == snapshot(
        "The 1×64×16 embedding that `add` in `the model` gives the 8×8 places differs from one of the columns to the next, and is the same in all rows."
    )
