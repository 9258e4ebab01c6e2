"""The stem of PP-HGNetV2."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class HGStem:
    """PP-HGNetV2's stem (PaddleClas), in RT-DETR (2304.08069) and D-FINE (2410.13842); stride 4.

    After a 3×3 convolution of stride 2 to `hidden` channels, one way is two 2×2 convolutions, the
    other a 2×2 maximum, all of stride 1 and padded by one place below and on the right; both are
    joined, halved by a 3×3 convolution to `hidden`, and a 1×1 convolution makes `channels`.
    """

    hidden: int = 16
    channels: int = 32

    def __post_init__(self) -> None:
        if self.hidden < 2 or self.channels < 1:
            raise ValueError(
                "`hidden` must be at least 2 and `channels` at least 1; "
                f"got {self.hidden} and {self.channels}."
            )

    def build(self, layers: Layers) -> nn.Module:
        return _HGStem(self, layers)


class _HGStem(nn.Module):
    def __init__(self, choice: HGStem, layers: Layers) -> None:
        super().__init__()
        hidden, half = choice.hidden, choice.hidden // 2
        self.stem1 = layers.conv(3, hidden, 3, stride=2)
        self.stem2a = layers.conv(hidden, half, 2, padding=0)
        self.stem2b = layers.conv(half, hidden, 2, padding=0)
        self.pool = nn.MaxPool2d(2, 1)
        self.stem3 = layers.conv(2 * hidden, hidden, 3, stride=2)
        self.stem4 = layers.conv(hidden, choice.channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        half = _pad_below_and_right(self.stem1(images))
        convolved = self.stem2b(_pad_below_and_right(self.stem2a(half)))
        joined = torch.cat([self.pool(half), convolved], dim=1)
        return self.stem4(self.stem3(joined))


def _pad_below_and_right(features: Tensor) -> Tensor:
    return F.pad(features, (0, 1, 0, 1))
