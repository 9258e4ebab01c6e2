"""How a feature map is normalised after a convolution."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class Norm(Protocol):
    """A choice of normalisation; `build` gives a module that keeps (b, channels, h, w)."""

    def build(self, channels: int) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Normalise each channel over the batch and all places (Ioffe and Szegedy 2015, 1502.03167).

    - `eps`: added to the variance. Caffe's SSD models, Pelee's included, have 1e-3; PyTorch's
      default and the PeleeNet classifier have 1e-5.
    - `momentum`: the share of a new batch in the running statistics, as PyTorch counts it. Caffe
      keeps 0.999 of a bias-corrected sum; with PyTorch's plain average so small a share would
      leave short trainings with statistics of the first steps.
    """

    eps: float = 1e-3
    momentum: float = 0.03

    def build(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=self.eps, momentum=self.momentum)


@dataclass(frozen=True, kw_only=True)
class GroupNorm:
    """Normalise groups of channels over all places of one image (Wu and He 2018, 1803.08494).

    `group_channels` are normalised together, 16 as in the paper's table 3. Where that does not
    divide the number of channels, the next larger divisor does. The paper's other count, 32
    groups, would leave one channel a group in the narrow layers of a small detector, which is
    instance normalisation, and on a 1×1 map a constant.
    """

    group_channels: int = 16
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.group_channels < 2:
            raise ValueError(
                "`group_channels` must be at least 2, since a group of one channel is a constant "
                f"on a 1×1 map; got {self.group_channels}."
            )

    def build(self, channels: int) -> nn.Module:
        size = next(
            (n for n in range(self.group_channels, channels) if channels % n == 0), channels
        )
        return nn.GroupNorm(channels // size, channels, eps=self.eps)


@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """Normalise the channels of each place by their mean and variance (Ba et al. 2016, 1607.06450).

    Over the channels alone, not the places, as in ConvNeXt (Liu et al. 2022, 2201.03545). It
    divides out whatever multiplies all channels of a place: a spatial gate before it does nothing.
    """

    eps: float = 1e-6

    def build(self, channels: int) -> nn.Module:
        if channels < 2:
            raise ValueError(
                "`LayerNorm` needs at least 2 channels: of one alone it makes a constant; "
                f"got {channels}."
            )
        return _ChannelLayerNorm(channels, self.eps)


class _ChannelLayerNorm(nn.Module):
    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        last = features.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps).permute(
            0, 3, 1, 2
        )

    def extra_repr(self) -> str:
        return f"{self.weight.numel()}, eps={self.eps}"


@dataclass(frozen=True, kw_only=True)
class L2Norm:
    """Bring the channels of each place to length 1, times a learned scale a channel.

    y_c = scale_c · x_c / sqrt(sum over channels of x² + `eps`) (ParseNet, Liu et al. 2015, arXiv
    1506.04579, section 3.3); `scale`, 20 in the paper, is where each starts. `eps` stands
    within the root, as in Caffe's Normalize layer (`ssd.pytorch` adds it outside, where the
    gradient of an all-zero place is not a number). Like `LayerNorm`, it divides out a spatial gate.
    It has no shift of its own, so the convolution before it has a bias.
    """

    scale: float = 20.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        if self.eps <= 0 or self.scale <= 0:
            raise ValueError(f"`eps` and `scale` must be above 0; got {self.eps} and {self.scale}.")

    def build(self, channels: int) -> nn.Module:
        return _L2Norm(channels, self.scale, self.eps)


class _L2Norm(nn.Module):
    def __init__(self, channels: int, scale: float, eps: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), scale))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        length = (features.square().sum(dim=1, keepdim=True) + self.eps).sqrt()
        return features / length * self.scale[:, None, None]

    def extra_repr(self) -> str:
        return f"{self.scale.numel()}, eps={self.eps}"


@dataclass(frozen=True, kw_only=True)
class NoNorm:
    """Leave the map as it is; the convolution before it then has a bias."""

    def build(self, channels: int) -> nn.Module:
        return nn.Identity()


NORMS = (BatchNorm, GroupNorm, LayerNorm, L2Norm, NoNorm)

WITHOUT_SHIFT = (L2Norm, NoNorm)
"""Norms that add nothing learned: a convolution before one of these needs its bias."""
