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
class ReLU6:
    """min(max(x, 0), 6), which eight bits hold well (Howard et al. 2017, arXiv 1704.04861)."""

    def build(self) -> nn.Module:
        return nn.ReLU6(inplace=True)


@dataclass(frozen=True, kw_only=True)
class LeakyReLU:
    """x where x is positive, `slope` · x elsewhere (0.1 in Darknet, 0.01 in PyTorch)."""

    slope: float = 0.1

    def build(self) -> nn.Module:
        return nn.LeakyReLU(self.slope, inplace=True)


@dataclass(frozen=True, kw_only=True)
class PReLU:
    """Leaky ReLU with a learned slope (He et al. 2015, arXiv 1502.01852, equation 1).

    Of the paper's two forms this is the one whose channels share a slope. Weight decay, which
    would push it to plain ReLU, leaves it out, as the paper asks.
    """

    initial_slope: float = 0.25

    def build(self) -> nn.Module:
        return nn.PReLU(init=self.initial_slope)


@dataclass(frozen=True, kw_only=True)
class SiLU:
    """x · sigmoid(x) (Elfwing et al. 2017, arXiv 1702.03118)."""

    def build(self) -> nn.Module:
        return nn.SiLU(inplace=True)


@dataclass(frozen=True, kw_only=True)
class HardSwish:
    """x · min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, arXiv 1905.02244, section 5.2)."""

    def build(self) -> nn.Module:
        return nn.Hardswish(inplace=True)


@dataclass(frozen=True, kw_only=True)
class GELU:
    """x · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016, 1606.08415)."""

    def build(self) -> nn.Module:
        return nn.GELU()


@dataclass(frozen=True, kw_only=True)
class Mish:
    """x · tanh(log(1 + exp(x))) (Misra 2019, arXiv 1908.08681)."""

    def build(self) -> nn.Module:
        return nn.Mish(inplace=True)


ACTIVATIONS = (ReLU, ReLU6, LeakyReLU, PReLU, SiLU, HardSwish, GELU, Mish)
