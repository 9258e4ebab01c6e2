"""How a stage opens when it halves the map."""

from torch import nn


def mean_pool() -> nn.AvgPool2d:
    """Halve a map by 2×2 means; at an odd border the mean is over the places that exist."""
    return nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)


def check_stride(stride: int) -> None:
    """Raise `ValueError` unless a stage keeps its map's size or halves it."""
    if stride not in (1, 2):
        raise ValueError(f"`stride` of a stage must be 1 or 2; got {stride}.")
