"""Stems that lay the picture's places beside each other as channels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class PatchStem:
    """Cut the picture into squares and project each (ConvNeXt, Liu et al. 2022, arXiv 2201.03545).

    One `patch` × `patch` convolution of stride `patch`, then the norm, and no activation. That is
    the same as space-to-depth followed by a 1×1 convolution. A picture whose sides are no
    multiples of `patch` is first padded with zeros below and on the right.
    """

    channels: int = 32
    patch: int = 4

    def __post_init__(self) -> None:
        if self.channels < 1 or self.patch < 2:
            raise ValueError(
                "`channels` must be at least 1 and `patch` at least 2; "
                f"got {self.channels} and {self.patch}."
            )

    def build(self, layers: Layers) -> nn.Module:
        project = layers.linear_conv(3, self.channels, self.patch, stride=self.patch, padding=0)
        return nn.Sequential(_PadToMultiple(self.patch), project)


@dataclass(frozen=True, kw_only=True)
class FocusStem:
    """YOLOv5's slicing stem (Jocher 2020, `Focus`), followed by its first convolution; stride 4.

    The four places of each 2×2 square become 12 channels, a 3×3 convolution makes `hidden`
    channels of them, and a 3×3 convolution of stride 2 `channels`. Nothing of the picture is lost
    before the first weights; space-to-depth as a general idea is Sunkara and Luo 2022
    (arXiv 2208.03641). An odd picture is padded with zeros below and on the right.
    """

    hidden: int = 16
    channels: int = 32

    def __post_init__(self) -> None:
        if min(self.hidden, self.channels) < 1:
            raise ValueError(
                "`hidden` and `channels` must be at least 1; "
                f"got {self.hidden} and {self.channels}."
            )

    def build(self, layers: Layers) -> nn.Module:
        return nn.Sequential(
            _PadToMultiple(2),
            _Slices(),
            layers.conv(12, self.hidden, 3),
            layers.conv(self.hidden, self.channels, 3, stride=2),
        )


class _PadToMultiple(nn.Module):
    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, images: Tensor) -> Tensor:
        below = -images.shape[-2] % self.multiple
        right = -images.shape[-1] % self.multiple
        return F.pad(images, (0, right, 0, below)) if below or right else images

    def extra_repr(self) -> str:
        return str(self.multiple)


class _Slices(nn.Module):
    """Rows first: (even, even), (odd row), (odd column), (odd, odd), as in YOLOv5."""

    def forward(self, images: Tensor) -> Tensor:
        rows = images[..., ::2, :], images[..., 1::2, :]
        return torch.cat([part[..., first::2] for first in (0, 1) for part in rows], dim=1)
