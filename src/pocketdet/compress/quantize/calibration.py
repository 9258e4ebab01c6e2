"""From pictures to the range of each map's grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pocketdet.model.nearest_name import known_name
from pocketdet.model.quantized import QuantizedDetector

Calibration = Literal["minmax", "percentile", "entropy", "mse"]

NUM_BINS = 2048
SHARES = tuple(1 - 0.02 * step for step in range(45))
"""Of the whole range: what the searches over a range try."""

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """How often a map had which values: `counts` over equal bins from `low` to `high`."""

    low: float
    high: float
    counts: Tensor

    @property
    def centres(self) -> Tensor:
        width = (self.high - self.low) / len(self.counts)
        return self.low + width * (torch.arange(len(self.counts)) + 0.5)


def ranges_from(
    held: QuantizedDetector,
    images: Tensor,
    *,
    how: Calibration = "minmax",
    percentile: float = 99.99,
    batch_size: int = 16,
) -> dict[str, Range]:
    """Run (n, 3, H, W) normalised pictures in float, and choose a range for every grid.

    - "minmax": all values that came;
    - "percentile": all but the outermost 100 - `percentile` percent;
    - "entropy": the range whose rounded distribution has the least Kullback-Leibler divergence
      from the true one (Migacz 2017, "8-bit inference with TensorRT");
    - "mse": the range with the least squared error of clipping and rounding together.
    """
    known_name(how, get_args(Calibration), "choice for `calibration`")
    limits = _limits(held, images, batch_size)
    if how == "minmax":
        return limits
    histograms = _histograms(held, images, batch_size, limits)
    return {
        name: _chosen(histogram, how, percentile, held.activation_grid(name).high)
        for name, histogram in histograms.items()
    }


def set_ranges(held: QuantizedDetector, ranges: Mapping[str, Range]) -> None:
    """Give every grid its range; grids that are not named stay as they are."""
    for name in held.plan_for((held.contract.height, held.contract.width)).grids:
        if name in ranges:
            held.activation_grid(name).cover(*ranges[name])


@torch.no_grad()
def _look(
    held: QuantizedDetector, images: Tensor, batch_size: int, look: Callable[[str, Tensor], None]
) -> None:
    held.eval()
    with held.in_float(look):
        for part in images.split(batch_size):
            held(part)


def _limits(held: QuantizedDetector, images: Tensor, batch_size: int) -> dict[str, Range]:
    limits: dict[str, Range] = {}

    def look(name: str, value: Tensor) -> None:
        low, high = limits.get(name, (0.0, 0.0))
        limits[name] = (min(low, float(value.min())), max(high, float(value.max())))

    _look(held, images, batch_size, look)
    return limits


def _histograms(
    held: QuantizedDetector, images: Tensor, batch_size: int, limits: Mapping[str, Range]
) -> dict[str, Histogram]:
    histograms: dict[str, Histogram] = {}

    def look(name: str, value: Tensor) -> None:
        low, high = limits[name]
        high = max(high, low + 1e-6)
        counts = torch.histc(value.float(), NUM_BINS, min=low, max=high).cpu()
        before = histograms[name].counts if name in histograms else 0
        histograms[name] = Histogram(low=low, high=high, counts=counts + before)

    _look(held, images, batch_size, look)
    return histograms


def _chosen(histogram: Histogram, how: Calibration, percentile: float, steps: int) -> Range:
    if how == "percentile":
        return _within_percentile(histogram, percentile)
    cost = squared_error if how == "mse" else divergence
    tried = [(histogram.low * share, histogram.high * share) for share in SHARES]
    return min(tried, key=lambda limits: cost(histogram, limits, steps))


def _within_percentile(histogram: Histogram, percentile: float) -> Range:
    shares = histogram.counts.cumsum(0) / histogram.counts.sum()
    outside = (1 - percentile / 100) / (2 if histogram.low < 0 else 1)
    centres = histogram.centres
    low = float(centres[torch.searchsorted(shares, outside)]) if histogram.low < 0 else 0.0
    place = min(int(torch.searchsorted(shares, 1 - outside)), len(centres) - 1)
    return low, float(centres[place])


def squared_error(histogram: Histogram, limits: Range, steps: int) -> float:
    """Give the squared error of holding a histogram's values on a grid of `steps` steps."""
    low, high = limits
    scale = max(high - low, 1e-9) / steps
    zero = round(-low / scale)
    centres = histogram.centres
    held = ((centres / scale).round() + zero).clamp(0, steps).sub(zero) * scale
    return float((histogram.counts * (held - centres).square()).sum())


def divergence(histogram: Histogram, limits: Range, steps: int) -> float:
    """Give the divergence of the clipped and rounded distribution from the clipped one.

    The bin of 0 is left out: behind a ReLU it has most of the mass, is always held exactly, and
    would drown the tail that clipping cuts off.
    """
    low, high = limits
    width = (histogram.high - histogram.low) / len(histogram.counts)
    first = max(0, round((low - histogram.low) / width))
    last = min(len(histogram.counts), max(first + 1, round((high - histogram.low) / width)))
    counts = histogram.counts.double().clone()
    counts[min(len(counts) - 1, max(0, int(-histogram.low / width)))] = 0
    inside = counts[first:last]
    true = inside.clone()
    true[0] += counts[:first].sum()
    true[-1] += counts[last:].sum()
    level = (torch.arange(len(inside)) * (steps + 1) // len(inside)).clamp(max=steps)
    sums = torch.zeros(steps + 1, dtype=torch.double).scatter_add_(0, level, inside)
    filled = torch.zeros_like(sums).scatter_add_(0, level, (inside > 0).double())
    rounded = torch.where(inside > 0, (sums / filled.clamp(min=1))[level], 0.0)
    true, rounded = true / true.sum().clamp(min=1e-12), rounded / rounded.sum().clamp(min=1e-12)
    present = true > 0
    return float((true[present] * (true[present] / rounded[present].clamp(min=1e-9)).log()).sum())
