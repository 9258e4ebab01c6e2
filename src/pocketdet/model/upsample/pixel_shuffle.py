"""Upsampling by sub-pixel convolution."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.upsample.protocol import fit


@dataclass(frozen=True, kw_only=True)
class PixelShuffle:
    """Sub-pixel convolution (Shi et al. 2016, arXiv 1609.05158, equation 4).

    A convolution of `kernel_size` makes four channels of each, which become the 2×2 places of
    the larger map. It starts as nearest upsampling, so that no chequered pattern has to be
    unlearned (Aitken et al. 2017, arXiv 1707.02937, with the identity as the kernel). A size that
    is not the double is then fitted linearly.
    """

    kernel_size: int = 3

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be odd, or the map would shift; got {self.kernel_size}."
            )

    def build(self, channels: int) -> nn.Module:
        return _PixelShuffle(channels, self.kernel_size)


class _PixelShuffle(nn.Module):
    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        middle = kernel_size // 2
        self.conv = nn.Conv2d(channels, 4 * channels, kernel_size, padding=middle, bias=False)
        self.shuffle = nn.PixelShuffle(2)
        with torch.no_grad():
            nn.init.zeros_(self.conv.weight)
            made = torch.arange(4 * channels)
            self.conv.weight[made, made // 4, middle, middle] = 1.0

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        return fit(self.shuffle(self.conv(features)), size)
