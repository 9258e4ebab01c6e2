from inline_snapshot import snapshot
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 8, 3, padding=1)
        self.act = nn.ReLU()


class Linear(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)))


class Activated(Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))))


class Network(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.block = block
        self.attention = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.head = nn.Conv2d(8, 4, 1)


class Forgetting(Network):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.block(F.relu(self.stem(images))))


class Optional(Forgetting):
    def masked(self, x: Tensor) -> Tensor:
        return x * self.attention(x)


class Calling(Network):
    def forward(self, images: Tensor) -> Tensor:
        features = self.block(F.relu(self.stem(images)))
        return self.head(features * self.attention(features))


class Borrowing(Network):
    def forward(self, images: Tensor) -> Tensor:
        features = self.block(F.relu(self.stem(images)))
        layer = self.attention[0]
        return self.head(features * F.conv2d(features, layer.weight, layer.bias).sigmoid())


def examined(model: nn.Module) -> list[tuple[str, str]]:
    return [(f.severity.value, f.where) for f in findings(model)]


def findings(model: nn.Module) -> list[Finding]:
    return list(examine(model, torch.rand(2, 3, 16, 16), only=["uncalled-module"]).findings)


def test_a_module_that_nothing_calls_is_a_warning_and_named_whole() -> None:
    (finding, _) = findings(Forgetting(Activated()))
    assert (finding.severity, finding.where) == ("warning", "attention")
    assert finding.evidence == snapshot(
        "No operator of a pass reads any of its 2 parameters (72 values, 2.7% of the network), in either mode, and nothing but `__init__` mentions it."
    )


def test_one_for_another_way_of_calling_is_an_info() -> None:
    assert examined(Optional(Activated())) == [("info", "attention"), ("info", "block.act")]


def test_is_clear_when_it_is_called_or_its_weights_are_used() -> None:
    for kind in (Calling, Borrowing):
        assert ("warning", "attention") not in examined(kind(Activated()))
        assert ("info", "attention") not in examined(kind(Activated()))


def test_an_activation_never_called_is_a_warning_where_layers_lack_one() -> None:
    assert ("warning", "block.act") in examined(Calling(Linear()))
    assert ("info", "block.act") in examined(Calling(Activated()))
