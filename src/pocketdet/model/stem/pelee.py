"""Pelee's own stem."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class PeleeStem:
    """Pelee's two-way stem (Wang et al. 2018, arXiv 1804.06882, figure 4), stride 4.

    After a 3×3 convolution of stride 2, one way is a 1×1 and a 3×3 convolution of stride 2, the
    other a 2×2 maximum; both are joined and mixed by a 1×1 convolution to `channels`.
    """

    channels: int = 32

    def __post_init__(self) -> None:
        if self.channels < 2:
            raise ValueError(f"`channels` of a stem must be at least 2; got {self.channels}.")

    def build(self, layers: Layers) -> nn.Module:
        return _PeleeStem(self.channels, layers)


class _PeleeStem(nn.Module):
    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.stem1 = layers.conv(3, channels, 3, stride=2)
        self.stem2a = layers.conv(channels, channels // 2, 1)
        self.stem2b = layers.conv(channels // 2, channels, 3, stride=2)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.stem3 = layers.conv(2 * channels, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        half = self.stem1(images)
        convolved = self.stem2b(self.stem2a(half))
        return self.stem3(torch.cat([convolved, self.pool(half)], dim=1))
