"""What an attention is to the rest of the detector."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn


class Attention(Protocol):
    """A choice of attention; `build` gives a module that keeps (b, channels, h, w)."""

    def build(self, channels: int) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class NoAttention:
    """Leave the map as it is."""

    def build(self, channels: int) -> nn.Module:
        return nn.Identity()


def reduced(channels: int, reduction: int, *, least: int = 1) -> int:
    """Give the width of a bottleneck; raises `ValueError` for a reduction below 1."""
    if reduction < 1:
        raise ValueError(f"`reduction` must be at least 1; got {reduction}.")
    return max(least, channels // reduction)
