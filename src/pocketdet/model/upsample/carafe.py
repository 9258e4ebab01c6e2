"""Content-aware reassembly of features."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.upsample.protocol import fit

CENTRE_AT_START = 5.0
"""Logit of the middle place before training; the other 24 have 0, so it weighs 0.86."""


@dataclass(frozen=True, kw_only=True)
class CARAFE:
    """Content-aware reassembly of features (Wang et al. 2019, arXiv 1905.02188, section 3.2).

    - 1×1 to `hidden` channels, then `encoder_kernel` wide to 2² · `kernel_size`² logits a place;
    - shuffled to the double size; softmax over the `kernel_size`² of each place;
    - each place is the so weighted sum around its source, places off the map counting as zero.

    The formula is the paper's; the start is not. Its code starts with equal weights, a 5×5 mean,
    which on maps of 3 or 5 places wipes out where anything is; here the middle place starts with
    0.86 of the weight. A size that is not the double is then fitted linearly.
    """

    kernel_size: int = 5
    encoder_kernel: int = 3
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0 or self.encoder_kernel % 2 == 0:
            raise ValueError(
                "`kernel_size` and `encoder_kernel` must be odd, or the map would shift; got "
                f"{self.kernel_size} and {self.encoder_kernel}."
            )

    def build(self, channels: int) -> nn.Module:
        return _CARAFE(channels, self)


class _CARAFE(nn.Module):
    def __init__(self, channels: int, choice: CARAFE) -> None:
        super().__init__()
        self.kernel_size = choice.kernel_size
        taps = choice.kernel_size**2
        self.compress = nn.Conv2d(channels, choice.hidden, 1)
        self.encode = nn.Conv2d(
            choice.hidden, 4 * taps, choice.encoder_kernel, padding=choice.encoder_kernel // 2
        )
        self.shuffle = nn.PixelShuffle(2)
        bias = torch.zeros(4 * taps)
        bias[4 * (taps // 2) : 4 * (taps // 2) + 4] = CENTRE_AT_START
        nn.init.normal_(self.encode.weight, std=0.001)
        self.encode.bias = nn.Parameter(bias)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        weights = self.shuffle(self.encode(self.compress(features))).softmax(dim=1)
        sums = torch.zeros_like(features).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        reach, (height, width) = self.kernel_size // 2, features.shape[-2:]
        padded = F.pad(features, (reach, reach, reach, reach))
        for tap in range(self.kernel_size**2):
            y, x = divmod(tap, self.kernel_size)
            source = padded[:, :, y : y + height, x : x + width]
            spread = source.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            sums = sums + spread * weights[:, tap : tap + 1]
        return fit(sums, size)
