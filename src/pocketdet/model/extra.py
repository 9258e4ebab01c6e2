"""The levels after the backbone, for objects that fill much of the picture."""

from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.conv import Conv
from pocketdet.model.layers import Layers
from pocketdet.model.norm import NoNorm, Norm


class Extra(Protocol):
    """A choice of extra level; `build` gives a module that takes (b, in_channels, h, w)."""

    def build(self, in_channels: int, layers: Layers) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class ExtraConvs:
    """SSD's extra level (Liu et al. 2016, arXiv 1512.02325): 1×1, then 3×3 to a smaller map.

    - `hidden`, `channels`: widths of the 1×1 and the 3×3 convolution;
    - `stride`: 2 halves the map (padded by 1); 1 takes two off each side (not padded);
    - `norm`: none as published; with a norm short trainings from scratch move faster;
    - `conv`: what stands for the 3×3 convolution, if not the detector's choice.

    A map smaller than 3 is first padded with zeros to 3, so that any input size is legal.
    """

    hidden: int
    channels: int
    stride: int = 2
    norm: Norm = NoNorm()
    conv: Conv | None = None

    def __post_init__(self) -> None:
        if self.stride not in (1, 2):
            raise ValueError(f"`stride` of an extra level must be 1 or 2; got {self.stride}.")

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        own = replace(layers, norm=self.norm).with_conv(self.conv)
        return _ExtraConvs(in_channels, self, own)


class _ExtraConvs(nn.Module):
    def __init__(self, in_channels: int, choice: ExtraConvs, layers: Layers) -> None:
        super().__init__()
        self.squeeze = layers.conv(in_channels, choice.hidden, 1)
        self.reduce = layers.conv(
            choice.hidden, choice.channels, 3, stride=choice.stride, padding=choice.stride - 1
        )
        self.least = 3 if choice.stride == 1 else 1

    def forward(self, features: Tensor) -> Tensor:
        return self.reduce(_pad_to(self.squeeze(features), self.least))


def _pad_to(features: Tensor, least: int) -> Tensor:
    missing_y = max(0, least - features.shape[-2])
    missing_x = max(0, least - features.shape[-1])
    if not missing_y and not missing_x:
        return features
    top, left = missing_y // 2, missing_x // 2
    return F.pad(features, (left, missing_x - left, top, missing_y - top))


EXTRAS = (ExtraConvs,)
