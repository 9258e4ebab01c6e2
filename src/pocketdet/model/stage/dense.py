"""DenseNet's stage."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.conv import Conv
from pocketdet.model.layers import Layers
from pocketdet.model.stage.halving import check_stride, mean_pool


@dataclass(frozen=True, kw_only=True)
class DenseStage:
    """DenseNet-BC's dense block and transition (Huang et al. 2016, arXiv 1608.06993).

    - `num_layers`: layers norm, activation, 1×1 to `bottleneck` · `growth` channels, norm,
      activation, 3×3 to `growth` channels, which are appended to the map;
    - `compression`: the share of the channels that the transition (norm, activation, 1×1) keeps;
    - `stride`: 2 halves the map first by a 2×2 mean. The paper pools after the transition; here
      the pool opens the next stage, since a detector reads a stage's output before it. An odd
      map rounds up;
    - `conv`: what stands for the 3×3 convolutions, if not the detector's choice.

    As in the paper norm and activation stand before each convolution, so the output is linear.
    """

    num_layers: int
    growth: int = 32
    bottleneck: int = 4
    compression: float = 0.5
    stride: int = 2
    conv: Conv | None = None

    def __post_init__(self) -> None:
        check_stride(self.stride)
        if min(self.num_layers, self.growth, self.bottleneck) < 1 or not 0 < self.compression <= 1:
            raise ValueError(
                "`num_layers`, `growth` and `bottleneck` must be at least 1 and `compression` "
                f"above 0 and at most 1; got {self.num_layers}, {self.growth}, "
                f"{self.bottleneck} and {self.compression}."
            )

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        layers = layers.with_conv(self.conv)
        stage = nn.Sequential()
        if self.stride == 2:
            stage.add_module("pool", mean_pool())
        channels = in_channels
        for number in range(1, self.num_layers + 1):
            stage.add_module(f"dense{number}", _DenseLayer(channels, self, layers))
            channels += self.growth
        kept = max(1, int(channels * self.compression))
        stage.add_module("transition", layers.preactivated_conv(channels, kept, 1))
        return stage


class _DenseLayer(nn.Module):
    def __init__(self, in_channels: int, choice: DenseStage, layers: Layers) -> None:
        super().__init__()
        inner = choice.bottleneck * choice.growth
        squeeze = layers.preactivated_conv(in_channels, inner, 1)
        self.new = squeeze.extend(layers.preactivated_conv(inner, choice.growth, 3))

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.new(features)], dim=1)
