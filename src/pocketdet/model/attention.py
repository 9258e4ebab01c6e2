"""Gates that weigh channels or places of a stage's output."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


class Attention(Protocol):
    """A choice of attention; `build` gives a module that keeps (b, channels, h, w)."""

    def build(self, channels: int) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class NoAttention:
    """Leave the map as it is."""

    def build(self, channels: int) -> nn.Module:
        return nn.Identity()


@dataclass(frozen=True, kw_only=True)
class CBAM:
    """Convolutional block attention (Woo et al. 2018, arXiv 1807.06521), channel then spatial.

    - channel gate: sigmoid(MLP(mean over places) + MLP(maximum over places)), one shared MLP
      channels → channels / `reduction` → channels with ReLU and biases;
    - spatial gate: sigmoid(BN(conv(maximum, mean over channels))), `kernel_size` wide, no bias,
      BN with eps 1e-5 and momentum 0.01, as in the authors' code.
    """

    reduction: int = 16
    kernel_size: int = 7

    def build(self, channels: int) -> nn.Module:
        return nn.Sequential(
            _ChannelGate(channels, max(1, channels // self.reduction)),
            _SpatialGate(self.kernel_size),
        )


class _ChannelGate(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        logits = self.mlp(features.mean(dim=(2, 3))) + self.mlp(features.amax(dim=(2, 3)))
        return features * logits.sigmoid()[:, :, None, None]


class _SpatialGate(nn.Module):
    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, eps=1e-5, momentum=0.01)

    def forward(self, features: Tensor) -> Tensor:
        pooled = torch.cat(
            [features.amax(dim=1, keepdim=True), features.mean(dim=1, keepdim=True)], dim=1
        )
        return features * self.norm(self.conv(pooled)).sigmoid()


ATTENTIONS = (NoAttention, CBAM)
