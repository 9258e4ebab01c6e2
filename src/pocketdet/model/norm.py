"""How a feature map is normalised after a convolution."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn


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
class NoNorm:
    """Leave the map as it is; the convolution before it then has a bias."""

    def build(self, channels: int) -> nn.Module:
        return nn.Identity()


NORMS = (BatchNorm, NoNorm)
