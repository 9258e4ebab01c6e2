"""Ways to bring a coarse map to the exact size of a finer one."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
import torch.nn.functional as F


class Upsample(Protocol):
    """A choice of upsampling; `build` gives a module called with (map, (height, width))."""

    def build(self, channels: int) -> nn.Module: ...


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


class _Resize(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(features, size=size, mode=self.mode)

    def extra_repr(self) -> str:
        return f"mode={self.mode}"


UPSAMPLES = (Nearest, Bilinear)
