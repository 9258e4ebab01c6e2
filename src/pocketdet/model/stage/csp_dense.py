"""A dense stage past which half of the channels go."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.conv import Conv
from pocketdet.model.cuts_channels import CutsChannels
from pocketdet.model.layers import Layers
from pocketdet.model.stage.halving import check_stride, mean_pool


@dataclass(frozen=True, kw_only=True)
class CSPDense:
    """Cross-stage partial dense stage (Wang et al. 2019, arXiv 1911.11929, section 3.1).

    - `around`: the share of the channels (the first ones) that go around the dense layers;
    - `num_layers`: dense layers on the rest, each 1×1 to `bottleneck` · `growth` channels and 3×3
      to `growth` channels that are appended; a 1×1 transition keeps half of what results;
    - `stride`: 2 halves the map first by a 2×2 mean, rounding up;
    - `conv`: what stands for the 3×3 convolutions, if not the detector's choice.

    A last 1×1 transition mixes both ways and keeps the number of channels. Norm and activation
    stand behind each convolution, as in the paper's CSPPeleeNet.
    """

    num_layers: int
    growth: int = 32
    bottleneck: int = 4
    around: float = 0.5
    stride: int = 2
    conv: Conv | None = None

    def __post_init__(self) -> None:
        check_stride(self.stride)
        if min(self.num_layers, self.growth, self.bottleneck) < 1 or not 0 < self.around < 1:
            raise ValueError(
                "`num_layers`, `growth` and `bottleneck` must be at least 1 and `around` between "
                f"0 and 1; got {self.num_layers}, {self.growth}, {self.bottleneck} "
                f"and {self.around}."
            )

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        if in_channels < 2:
            raise ValueError(f"`CSPDense` needs at least 2 channels to split; got {in_channels}.")
        stage = nn.Sequential()
        if self.stride == 2:
            stage.add_module("pool", mean_pool())
        stage.add_module("cross", _CSPDense(in_channels, self, layers.with_conv(self.conv)))
        return stage


class _CSPDense(CutsChannels):
    cuts = ("around",)

    def __init__(self, in_channels: int, choice: CSPDense, layers: Layers) -> None:
        super().__init__()
        around = min(in_channels - 1, max(1, int(in_channels * choice.around)))
        channels = in_channels - around
        inner = choice.bottleneck * choice.growth
        self.around = around
        self.dense = nn.ModuleList()
        for _ in range(choice.num_layers):
            squeeze = layers.conv(channels, inner, 1)
            self.dense.append(nn.Sequential(squeeze, layers.conv(inner, choice.growth, 3)))
            channels += choice.growth
        self.partial = layers.conv(channels, channels // 2, 1)
        self.transition = layers.conv(around + channels // 2, around + channels // 2, 1)

    def forward(self, features: Tensor) -> Tensor:
        around, grown = features[:, : self.around], features[:, self.around :]
        for layer in self.dense:
            grown = torch.cat([grown, layer(grown)], dim=1)
        return self.transition(torch.cat([around, self.partial(grown)], dim=1))
