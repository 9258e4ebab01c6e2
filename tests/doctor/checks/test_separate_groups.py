from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
from training_nets import examined, serious

Shuffle = Callable[[Tensor], Tensor]


def shuffled(x: Tensor, groups: int = 4) -> Tensor:
    b, c, h, w = x.shape
    return x.view(b, groups, c // groups, h, w).transpose(1, 2).reshape(x.shape)


def undone(x: Tensor) -> Tensor:
    return shuffled(shuffled(x, 4), 4)  # 16 channels in four groups: back where they were


def left_out(x: Tensor) -> Tensor:
    return x


class Block(nn.Module):
    def __init__(self, shuffle: Shuffle, between: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(16, 16, 1, groups=4)
        self.deep = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.last, self.norm = nn.Conv2d(16, 16, 1, groups=4), nn.BatchNorm2d(16)
        self.shuffle, self.between = shuffle, between

    def forward(self, x: Tensor) -> Tensor:
        y = self.between(self.deep(self.shuffle(self.first(x).relu())))
        return (x + self.norm(self.last(y))).relu()


def net(shuffle: Shuffle, between: nn.Module | None = None) -> nn.Module:
    blocks = [Block(shuffle, between or nn.Identity()) for _ in range(2)]
    return nn.Sequential(nn.Conv2d(3, 16, 3), *blocks, nn.Conv2d(16, 4, 1))


@pytest.mark.parametrize("shuffle", [left_out, undone])
def test_finds_groups_that_never_meet(shuffle: Shuffle) -> None:
    assert serious(examined("separate-groups", net(shuffle))) == [("2.first", "warning")]


@pytest.mark.parametrize("between", [nn.Conv2d(16, 16, 1), nn.GroupNorm(1, 16)])
def test_is_clear_where_something_dense_stands_between(between: nn.Module) -> None:
    assert examined("separate-groups", net(left_out, between)) == []


def test_is_clear_for_shuffled_channels_and_two_in_a_row() -> None:
    assert examined("separate-groups", net(shuffled)) == []
    two = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=2), nn.ReLU())
    two.extend([nn.Conv2d(16, 16, 3, groups=2), nn.Conv2d(16, 4, 1)])
    assert examined("separate-groups", two) == []


def test_reads_well() -> None:
    (finding,) = examined("separate-groups", net(left_out))
    assert finding.evidence == snapshot(
        "This is the third grouped convolution in a row in which the 4 groups have not met: each of its 16 channels depends on one 4th of the channels that the first was given."
    )
