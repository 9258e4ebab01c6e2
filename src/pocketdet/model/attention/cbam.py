"""Convolutional block attention."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pocketdet.model.attention.protocol import reduced

Gate = Literal["channel", "spatial"]


@dataclass(frozen=True, kw_only=True)
class CBAM:
    """Convolutional block attention (Woo et al. 2018, arXiv 1807.06521), channel then spatial.

    - channel gate: sigmoid(MLP(mean over places) + MLP(maximum over places)), one shared MLP
      channels → channels / `reduction` → channels with ReLU and biases;
    - spatial gate: sigmoid(BN(conv(maximum, mean over channels))), `kernel_size` wide, no bias,
      BN with eps 1e-5 and momentum 0.01, as in the authors' code;
    - `gates`: which of the two, and in which order; the paper's order is the default.
    """

    reduction: int = 16
    kernel_size: int = 7
    gates: tuple[Gate, ...] = ("channel", "spatial")

    def __post_init__(self) -> None:
        if not self.gates or len(set(self.gates)) != len(self.gates):
            raise ValueError(
                "`gates` must name channel, spatial or both, each once; "
                f"got {', '.join(self.gates) or 'none'}."
            )
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be odd, or the gate would shift; got {self.kernel_size}."
            )

    def build(self, channels: int) -> nn.Module:
        return nn.Sequential(*(self._gate(gate, channels) for gate in self.gates))

    def _gate(self, gate: Gate, channels: int) -> nn.Module:
        if gate == "channel":
            return _ChannelGate(channels, reduced(channels, self.reduction))
        return _SpatialGate(self.kernel_size)


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
