"""A part of one's own is one file and one line of a config, whatever it is a part of."""

import pytest
import torch

from pocketdet import build, load_config
from pocketdet.config_file import save_config
from pocketdet.model.fold import fold_batch_norm

OWN = '''
from dataclasses import dataclass, replace
import torch
from torch import nn
from pocketdet.model import Foldable, StandardConv

@dataclass(frozen=True, kw_only=True)
class Stem:
    channels: int = 16
    def build(self, layers):
        return layers.conv(3, self.channels, 7, stride=4)

@dataclass(frozen=True, kw_only=True)
class Pooled:
    channels: int
    def build(self, in_channels, layers):
        return nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), Twice(layers.conv(in_channels, self.channels, 3)))

class Twice(Foldable):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, features):
        return self.inner(features) * torch.tensor(2.0)
    def folded(self):
        return Doubled(self.inner)

class Doubled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, features):
        return self.inner(features) * 2

@dataclass(frozen=True, kw_only=True)
class Wide:
    """A standard convolution with a kernel one step larger."""
    more: int = 2
    def build(self, shape, norm, activation):
        wider = replace(shape, kernel_size=shape.kernel_size + self.more, padding=shape.reach + self.more // 2)
        return StandardConv().build(wider, norm, activation)

@dataclass(frozen=True, kw_only=True)
class Scale:
    start: float = 1.0
    def build(self, channels):
        norm = nn.GroupNorm(1, channels)
        nn.init.constant_(norm.weight, self.start)
        return norm

@dataclass(frozen=True, kw_only=True)
class Soft:
    def build(self):
        return nn.Softplus()

@dataclass(frozen=True, kw_only=True)
class Chain:
    num_nodes: int = 3
    def build(self):
        from pocketdet.model import DrawnGraph
        edges = tuple((node, node + 1) for node in range(self.num_nodes - 1))
        return DrawnGraph(num_nodes=self.num_nodes, edges=edges)
'''

LINES = {
    "stem": "stem: own_backbone:Stem",
    "stage": "stages: [{own_backbone:Pooled: {channels: 16}}, {own_backbone:Pooled: {channels: 24}},"
    " {own_backbone:Pooled: {channels: 24}}, {own_backbone:Pooled: {channels: 32}}]",
    "conv": "conv: {own_backbone:Wide: {more: 4}}",
    "conv of one extra": "extras: [{ExtraConvs: {hidden: 8, channels: 8, conv: own_backbone:Wide}}]",
    "norm": "norm: {own_backbone:Scale: {start: 0.5}}",
    "activation": "activation: own_backbone:Soft",
    "graph": "stages: [{RandWire: {channels: 8, graph: own_backbone:Chain}},"
    " {RandWire: {channels: 8}}, {RandWire: {channels: 8}}, {RandWire: {channels: 8}}]",
}


@pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
@torch.no_grad()
def test_one_file_and_one_line(line, tmp_path) -> None:
    (tmp_path / "own_backbone.py").write_text(OWN)
    (tmp_path / "altered.yaml").write_text(f"base: PELEE_TINY\n{line}\n")
    config = load_config(tmp_path / "altered.yaml")
    detector = build(config, num_classes=2).eval()
    images = torch.randn(2, 3, 75, 101)
    predicted = detector(images).class_logits
    assert bool(predicted.isfinite().all())
    assert torch.allclose(fold_batch_norm(detector)(images).class_logits, predicted, atol=1e-4)
    save_config(config, tmp_path / "saved.yaml")
    assert load_config(tmp_path / "saved.yaml") == config


def test_a_block_of_ones_own_folds_as_it_says(tmp_path) -> None:
    (tmp_path / "own_backbone.py").write_text(OWN)
    (tmp_path / "altered.yaml").write_text(f"base: PELEE_TINY\n{LINES['stage']}\n")
    detector = build(load_config(tmp_path / "altered.yaml"), num_classes=2)
    names = {type(module).__name__ for module in fold_batch_norm(detector).modules()}
    assert "Doubled" in names
    assert "Twice" not in names


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("stem: own_backbone:Stam", "Did you mean `Stem`"),
        ("conv: own_backbone:Twice", "must be a frozen dataclass with a `build` method"),
        ("norm: {own_backbone:Scale: {stat: 1.0}}", "of `norm.Scale`.*Did you mean `start`"),
    ],
)
def test_a_wrong_line_is_answered_with_the_nearest(line, message, tmp_path) -> None:
    (tmp_path / "own_backbone.py").write_text(OWN)
    (tmp_path / "altered.yaml").write_text(f"base: PELEE_TINY\n{line}\n")
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / "altered.yaml")
