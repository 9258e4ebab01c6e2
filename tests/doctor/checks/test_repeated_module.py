from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import Block, examined, line_of, serious

CHECK = "repeated-module"


class Net(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.body = body  # body

    def forward(self, images: Tensor) -> Tensor:
        return self.body(self.stem(images))


class Looped(nn.Module):
    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, features: Tensor) -> Tensor:
        for block in self.blocks:
            features = features + block(features)
        return features


class Heads(Looped):
    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([head(features) for head in self.blocks], dim=1)


class Levels(Looped):
    def forward(self, features: Tensor) -> Tensor:
        levels = [features, nn.functional.max_pool2d(features, 2)]
        return torch.cat(
            [head(level).flatten(2) for head, level in zip(self.blocks, levels, strict=True)], 2
        )


@pytest.mark.parametrize(
    ("body", "where", "severity"),
    [
        (nn.Sequential(*[Block()] * 3), "body", "warning"),
        (Looped([Block()] * 3), "body.blocks", "warning"),
        (Heads([nn.Conv2d(8, 4, 1)] * 3), "body.blocks", "error"),
    ],
)
def test_a_repeated_object_is_found(body, where, severity) -> None:
    assert serious(examined(CHECK, Net(body))) == [(where, severity)]


def test_the_line_of_the_container_is_given() -> None:
    (finding,) = examined(CHECK, Net(nn.Sequential(*[Block()] * 3)))
    assert finding.source == line_of(__file__, "body")


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.act = Block(), nn.ReLU()
        self.again = self.act

    def forward(self, features: Tensor) -> Tensor:
        for _ in range(3):
            features = self.again(self.act(self.block(features)))
        return features


@pytest.mark.parametrize(
    "body",
    [
        nn.Sequential(Block(), Block()),
        Levels([nn.Conv2d(8, 4, 1)] * 2),
        Recurrent(),
        nn.Sequential(*[nn.ReLU()] * 3),
    ],
)
def test_separate_and_rightly_shared_modules_are_clear(body) -> None:
    assert examined(CHECK, Net(body)) == []


def test_reads_well() -> None:
    assert examined(CHECK, Net(Heads([nn.Conv2d(8, 4, 1)] * 2)))[0].evidence == snapshot(
        "`body.blocks.0`, `body.blocks.1` are one module with 36 values, called 2 times in a pass: they are given the same values, and say the same."
    )
