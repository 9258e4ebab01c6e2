"""A stem that halves by a convolution and once more by a maximum."""

from dataclasses import dataclass

from torch import nn

from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class PoolStem:
    """A 3×3 convolution and a 3×3 maximum, both of stride 2 (Ma et al. 2018, arXiv 1807.11164).

    ShuffleNetV2's stem, and with it NanoDet's and PP-PicoDet's (Yu et al. 2021, arXiv 2111.00902).
    """

    channels: int = 24

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"`channels` of a stem must be at least 1; got {self.channels}.")

    def build(self, layers: Layers) -> nn.Module:
        return nn.Sequential(layers.conv(3, self.channels, 3, stride=2), nn.MaxPool2d(3, 2, 1))
