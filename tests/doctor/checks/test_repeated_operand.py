from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious


class Joined(nn.Module):
    """Joins two maps of one stride by a function that is given both, and the image."""

    def __init__(self, join) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.LazyConv2d(4, 1)
        self.join = join

    def forward(self, image: Tensor) -> Tensor:
        one = F.relu(self.first(image))
        return self.head(self.join(one, F.relu(self.second(one)), image))


def corners(one: Tensor, _two: Tensor, image: Tensor) -> Tensor:
    parts = [image[..., ::2, ::2], image[..., 1::2, ::2], image[..., ::2, ::2]]
    return torch.cat([F.max_pool2d(one, 2), *parts], 1)


FAULTS = [
    lambda one, two, image: torch.cat([two, two], 1),
    lambda one, two, image: torch.cat([one, *(two for _ in range(2))], 1),
    lambda one, two, image: one.add(one),
    lambda one, two, image: torch.cat([F.silu(two), one, F.silu(two)], 1),
    corners,
]
SOUND = [
    lambda one, two, image: torch.cat([one, two], 1),
    lambda one, two, image: torch.cat([one, -one, F.relu(one)], 1),
    lambda one, two, image: one * one + two,
    lambda one, two, image: torch.cat([image[:, :1], image[:, :1], one], 1),
    lambda one, two, image: torch.cat([two, two], 0)[: len(two)],
    lambda one, two, image: torch.cat([F.max_pool2d(one, k, 1, k // 2) for k in (3, 5)], 1),
]


def net(join) -> nn.Module:
    torch.manual_seed(0)
    made = Joined(join)
    made(torch.rand(2, 3, 32, 32))
    return made


@pytest.mark.parametrize("join", FAULTS)
def test_finds_a_map_that_is_joined_to_itself(join) -> None:
    assert serious(examined("repeated-operand", net(join))) == [("", "warning")]


@pytest.mark.parametrize("join", SOUND)
def test_is_clear_where_each_operand_is_another_map(join) -> None:
    assert serious(examined("repeated-operand", net(join))) == []


def test_reads_well() -> None:
    (finding,) = examined("repeated-operand", net(FAULTS[0]))
    assert finding.source is not None
    assert finding.source.startswith("test_repeated_operand.py:")
    assert finding.evidence == snapshot(
        "`cat` joins 2 operands, and two of them are the same 2×8×16×16 features, that `relu` in `the model` makes."
    )
