"""Upsampling by a transposed convolution."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.upsample.protocol import fit

LINEAR = (0.25, 0.75, 0.75, 0.25)
"""The shares of a place in the four that linear interpolation by 2 spreads it over."""


@dataclass(frozen=True, kw_only=True)
class TransposedConv:
    """A 4×4 transposed convolution of stride 2 that starts as bilinear interpolation.

    The start is FCN's (Long et al. 2014, arXiv 1411.4038, section 3.3), each channel from itself.
    Kernel 4 with one place cut off each side lies even on the half-pixel grid; the usual 3 with
    output padding shifts everything by half a place. The border is repeated before, since FCN's
    zeros would dim it by a quarter. A size that is not the double is then fitted linearly.
    """

    def build(self, channels: int) -> nn.Module:
        return _TransposedConv(channels)


class _TransposedConv(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        # Of the repeated border's two places a side, and the kernel's one.
        self.conv = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=3, bias=False)
        line = torch.tensor(LINEAR)
        with torch.no_grad():
            nn.init.zeros_(self.conv.weight)
            each = torch.arange(channels)
            self.conv.weight[each, each] = torch.outer(line, line)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        return fit(self.conv(F.pad(features, (1, 1, 1, 1), mode="replicate")), size)
