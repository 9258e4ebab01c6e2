from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import Block, examined, line_of, serious

CHECK = "unregistered-module"


class Neck(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        made = [Block(), Block()]
        self.blocks = kind(made)  # blocks

    def forward(self, features: Tensor) -> Tensor:
        for block in self.blocks.values() if isinstance(self.blocks, dict) else self.blocks:
            features = block(features)
        return features


class Net(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.neck = Neck(kind)
        self.act = [nn.ReLU(), nn.GELU()]

    def forward(self, images: Tensor) -> Tensor:
        return self.neck(self.act[0](self.stem(images)))


def as_dict(blocks):
    return {str(index): block for index, block in enumerate(blocks)}


@pytest.mark.parametrize("kind", [list, tuple, as_dict])
def test_blocks_in_a_plain_container_are_an_error_at_the_line(kind) -> None:
    (finding,) = examined(CHECK, Net(kind), training_loss=None)
    assert (finding.severity, finding.where) == ("error", "neck.blocks")
    assert finding.source == line_of(__file__, "blocks")


def test_blocks_that_the_optimizer_was_given_are_a_warning() -> None:
    net = Net(list)
    hidden = [p for block in net.neck.blocks for p in block.parameters()]
    optimizer = torch.optim.SGD([*net.parameters(), *hidden], lr=0.1)
    assert serious(examined(CHECK, net, optimizer=optimizer)) == [("neck.blocks", "warning")]


class Teacher(Net):
    def __init__(self) -> None:
        super().__init__(nn.ModuleList)
        self.teacher = [Net(nn.ModuleList)]
        self.layers = [self.stem, *self.neck.blocks]
        self.perceptual = [nn.Conv2d(8, 8, 1).requires_grad_(False)]

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.teacher[0](images)
        features = images
        for layer in self.layers:
            features = layer(features)
        return self.perceptual[0](features - target)


def test_registered_blocks_teachers_and_frozen_parts_are_clear() -> None:
    assert examined(CHECK, Net(nn.ModuleList)) == []
    assert examined(CHECK, Teacher()) == []


def test_reads_well() -> None:
    assert examined(CHECK, Net(list))[0].evidence == snapshot(
        "`neck.blocks` holds 2 modules with 1,200 trainable values that are not registered: `parameters()` does not give them, and no optimizer made from it trains them."
    )
