"""Efficient channel attention."""

from dataclasses import dataclass
from math import log2

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ECA:
    """Efficient channel attention (Wang et al. 2019, arXiv 1910.03151).

    Each channel times the sigmoid of a convolution along the channels' means, without bias. Its
    width is (log2(channels) + 1) / 2, cut to a whole number and raised to the next odd one, as in
    the authors' code (equation 9 with γ = 2, b = 1); `kernel_size` other than 0 fixes it.
    """

    kernel_size: int = 0

    def __post_init__(self) -> None:
        if self.kernel_size < 0 or (self.kernel_size and self.kernel_size % 2 == 0):
            raise ValueError(
                "`kernel_size` must be odd, or 0 to follow from the number of channels; "
                f"got {self.kernel_size}."
            )

    def build(self, channels: int) -> nn.Module:
        return _EfficientChannel(self.kernel_size or fitting_width(channels))


def fitting_width(channels: int) -> int:
    """Give the width of the convolution for a number of channels: 3 at 64, 5 at 256."""
    whole = int((log2(channels) + 1) / 2)
    return whole if whole % 2 else whole + 1


class _EfficientChannel(nn.Module):
    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3))[:, None]
        return features * self.conv(means).sigmoid()[:, 0, :, None, None]
