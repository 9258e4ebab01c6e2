"""The weighted bi-directional feature pyramid."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pocketdet.model.layers import Layers
from pocketdet.model.neck.protocol import size_of
from pocketdet.model.norm import BatchNorm, Norm
from pocketdet.model.upsample import Nearest, Upsample
from pocketdet.model.upsample.protocol import fit

EPSILON = 1e-4
"""Of fast normalised fusion (section 3.3): keeps the sum of weights off zero."""


@dataclass(frozen=True, kw_only=True)
class BiFPN:
    """Weighted bi-directional pyramid (Tan et al. 2019, arXiv 1911.09070, section 3).

    1×1 to `channels` on every level, then `repeats` layers, each once down and once up. A node
    adds its inputs with weights relu(w) / (Σ relu(w) + 1e-4), learned and 1 at first, and passes
    a depthwise 3×3 and a 1×1 convolution, norm and activation. Down, maps are upsampled; up,
    brought linearly to the next level's size: a 2×2 mean where it is the half.

    The paper leaves the resizing open. The authors' code takes a 3×3 maximum of stride 2, which
    moves a place by up to 0.55 of a cell on its way through Pelee's levels. It also puts the
    activation before the convolutions and gives some levels two laterals; here it is as in the
    paper's text and figure 3.
    """

    channels: int = 64
    repeats: int = 2
    upsample: Upsample = Nearest()
    norm: Norm = BatchNorm()

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"`repeats` must be at least 1; got {self.repeats}.")

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        return _BiFPN(level_channels, self, replace(layers, norm=self.norm))


class _BiFPN(nn.Module):
    def __init__(self, level_channels: tuple[int, ...], choice: BiFPN, layers: Layers) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            layers.linear_conv(channels, choice.channels, 1) for channels in level_channels
        )
        self.layers = nn.ModuleList(
            _BiFPNLayer(len(level_channels), choice, layers) for _ in range(choice.repeats)
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        levels = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for layer in self.layers:
            levels = layer(levels)
        return levels


class _BiFPNLayer(nn.Module):
    def __init__(self, num_levels: int, choice: BiFPN, layers: Layers) -> None:
        super().__init__()
        steps = range(num_levels - 1)
        self.upsample = nn.ModuleList(choice.upsample.build(choice.channels) for _ in steps)
        self.down = nn.ModuleList(_Node(2, choice.channels, layers) for _ in steps)
        # The coarsest level has no node on the way down, so one input less on the way up.
        self.up = nn.ModuleList(
            _Node(2 if step == num_levels - 2 else 3, choice.channels, layers) for step in steps
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        merged = list(levels)
        for finer in reversed(range(len(levels) - 1)):
            coarser = self.upsample[finer](merged[finer + 1], size_of(levels[finer]))
            merged[finer] = self.down[finer]([levels[finer], coarser])
        for coarser, node in enumerate(self.up, start=1):
            finer = fit(merged[coarser - 1], size_of(levels[coarser]))
            is_last = coarser == len(levels) - 1
            own = [levels[coarser]] if is_last else [levels[coarser], merged[coarser]]
            merged[coarser] = node([*own, finer])
        return merged


class _Node(nn.Module):
    def __init__(self, num_inputs: int, channels: int, layers: Layers) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(num_inputs))
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = layers.conv(channels, channels, 1)
        nn.init.kaiming_normal_(self.depthwise.weight, mode="fan_out", nonlinearity="linear")

    def forward(self, inputs: list[Tensor]) -> Tensor:
        weights = self.weights.relu()
        weights = weights / (weights.sum() + EPSILON)
        fused = inputs[0] * weights[0]
        for weight, features in zip(weights[1:], inputs[1:], strict=True):
            fused = fused + weight * features
        return self.pointwise(self.depthwise(fused))
