"""Pelee's own stage."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.conv import Conv
from pocketdet.model.layers import Layers
from pocketdet.model.stage.halving import check_stride, mean_pool


@dataclass(frozen=True, kw_only=True)
class TwoWayDense:
    """Pelee's dense stage (Wang et al. 2018, arXiv 1804.06882, figures 3 and 5).

    - `num_layers`: two-way dense layers; each appends `growth` channels to the map, half from one
      3×3 convolution and half from two;
    - `bottleneck_width`: the 1×1 convolutions before them have growth / 2 · width channels, cut
      to half of their input where that is less (the paper's dynamic bottleneck);
    - `stride`: 2 halves the map first by a 2×2 mean. The paper draws this pooling at the end of
      the stage before; here it opens the stage, because the detector reads a stage's output
      before that pooling. An odd map rounds up, as in Caffe: 19 becomes 10, not 9;
    - `conv`: what stands for the 3×3 convolutions, if not the detector's choice.

    A 1×1 transition that keeps the number of channels ends the stage.
    """

    num_layers: int
    growth: int = 32
    bottleneck_width: int = 1
    stride: int = 2
    conv: Conv | None = None

    def __post_init__(self) -> None:
        check_stride(self.stride)
        if self.num_layers < 1 or self.growth < 2 or self.growth % 2:
            raise ValueError(
                "`num_layers` must be at least 1 and `growth` even and at least 2, since half "
                f"of it comes from each way; got {self.num_layers} and {self.growth}."
            )

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        layers = layers.with_conv(self.conv)
        stage = nn.Sequential()
        if self.stride == 2:
            stage.add_module("pool", mean_pool())
        channels = in_channels
        for number in range(1, self.num_layers + 1):
            layer = _TwoWayDenseLayer(channels, self.growth, self.bottleneck_width, layers)
            stage.add_module(f"dense{number}", layer)
            channels += self.growth
        stage.add_module("transition", layers.conv(channels, channels, 1))
        return stage


class _TwoWayDenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth: int, width: int, layers: Layers) -> None:
        super().__init__()
        half = growth // 2
        inner = bottleneck_channels(in_channels, growth, width)
        self.short = nn.Sequential(layers.conv(in_channels, inner, 1), layers.conv(inner, half, 3))
        self.long = nn.Sequential(
            layers.conv(in_channels, inner, 1),
            layers.conv(inner, half, 3),
            layers.conv(half, half, 3),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.short(features), self.long(features)], dim=1)


def bottleneck_channels(in_channels: int, growth: int, width: int) -> int:
    """Give the width of the 1×1 convolutions of a two-way dense layer, a multiple of 4."""
    wanted = growth * width // 8 * 4
    return max(4, in_channels // 8 * 4 if wanted > in_channels // 2 else wanted)
