"""The non-linearity after a convolution."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn


class Activation(Protocol):
    """A choice of non-linearity; `build` gives a module that keeps every shape."""

    def build(self) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class ReLU:
    """max(x, 0)."""

    def build(self) -> nn.Module:
        return nn.ReLU(inplace=True)


@dataclass(frozen=True, kw_only=True)
class SiLU:
    """x · sigmoid(x) (Elfwing et al. 2017, arXiv 1702.03118)."""

    def build(self) -> nn.Module:
        return nn.SiLU(inplace=True)


ACTIVATIONS = (ReLU, SiLU)
