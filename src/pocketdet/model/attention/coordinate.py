"""Coordinate attention."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.attention.protocol import reduced


@dataclass(frozen=True, kw_only=True)
class CoordAtt:
    """Coordinate attention (Hou et al. 2021, arXiv 2103.02907, equations 4 to 8).

    The means along rows and along columns pass one 1×1 convolution, batch norm and hard swish
    together; each then gets a 1×1 convolution and a sigmoid of its own, and every place is
    multiplied by its row's and its column's value. Between are channels / `reduction`, at least
    `least_channels`.

    The authors' code gives the first convolution a bias, which the norm takes out: here it has
    none.
    """

    reduction: int = 32
    least_channels: int = 8

    def build(self, channels: int) -> nn.Module:
        return _Coordinate(channels, reduced(channels, self.reduction, least=self.least_channels))


class _Coordinate(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish()
        )
        self.rows = nn.Conv2d(hidden, channels, 1)
        self.columns = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        of_rows = features.mean(dim=3, keepdim=True)
        of_columns = features.mean(dim=2, keepdim=True).transpose(2, 3)
        mixed = self.shared(torch.cat([of_rows, of_columns], dim=2))
        rows, columns = mixed.split([height, width], dim=2)
        gate_rows = self.rows(rows).sigmoid()
        gate_columns = self.columns(columns.transpose(2, 3)).sigmoid()
        return features * gate_rows * gate_columns
