"""Upsampling without weights."""

from dataclasses import dataclass

from torch import Tensor, nn
import torch.nn.functional as F


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Repeat the nearest place (half-pixel centres)."""

    def build(self, channels: int) -> nn.Module:
        return _Resize("nearest-exact")


@dataclass(frozen=True, kw_only=True)
class Bilinear:
    """Interpolate linearly between the four nearest places (half-pixel centres)."""

    def build(self, channels: int) -> nn.Module:
        return _Resize("bilinear")


@dataclass(frozen=True, kw_only=True)
class Bicubic:
    """Interpolate with cubics over the sixteen nearest places (half-pixel centres).

    Keys' kernel with a = -0.75, as PyTorch has it; values can overshoot.
    """

    def build(self, channels: int) -> nn.Module:
        return _Resize("bicubic")


class _Resize(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(features, size=size, mode=self.mode)

    def extra_repr(self) -> str:
        return f"mode={self.mode}"
