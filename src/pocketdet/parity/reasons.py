"""Why a part of a file gives something else: the usual other conventions are tried one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

from pocketdet.doctor.trace import Op
from pocketdet.parity.raw_outputs import relative_error
from pocketdet.parity.taps.tap import Tap

LARGEST_HALF = 65504.0
EXPLAINS = 0.1  # of the error: what is left when the true convention was tried
LEAST_STEPS = 32  # steps of 256; below, a map has lost three of its eight bits
MOST_CLIPPED = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A piece of a result: what it should be, and what the file has."""

    name: str
    wanted: NDArray[Any]
    found: NDArray[Any]


def reason_of(
    op: Op, given: tuple[NDArray[Any], ...], wanted: NDArray[Any], tap: Tap, parts: list[Part]
) -> str:
    """Say what explains the error of a result, or "" if nothing that is known does."""
    largest = float(np.abs(wanted).max())
    if not np.isfinite(tap.value).all() and np.isfinite(wanted).all():
        beyond = ", above float16's 65,504," if largest > LARGEST_HALF else ""
        return f"values reach {largest:,.0f}{beyond} and overflow"
    if tap.rounding is not None:
        found = _of_rounding(wanted, tap, parts)
        if found:
            return found
    if not np.isfinite(wanted).all():
        return ""
    error = relative_error(wanted, tap.value)
    for says, other in _others(op, given, wanted):
        if other.shape == tap.value.shape and relative_error(other, tap.value) < EXPLAINS * error:
            return says
    return _straight_line(wanted, tap.value, error)


def _of_rounding(wanted: NDArray[Any], tap: Tap, parts: list[Part]) -> str:
    own = tap.rounding
    assert own is not None
    steps = [float(np.ptp(part.wanted)) / own.scale for part in parts]
    outside = float(((wanted < own.least - own.scale) | (wanted > own.largest + own.scale)).mean())
    if outside > MOST_CLIPPED:
        return (
            f"its scale covers {own.least:.3g} to {own.largest:.3g}, and {outside:.0%} of the "
            f"values, up to {float(np.abs(wanted).max()):.3g}, are clipped"
        )
    if min(steps) < LEAST_STEPS:
        return f"its scale of {own.scale:.3g} leaves its values {min(steps):.0f} of 256 steps"
    return ""


def _others(
    op: Op, given: tuple[NDArray[Any], ...], wanted: NDArray[Any]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give what other conventions would make of the same inputs, with their sentences."""
    if not given or given[0].ndim != 4:
        return
    first = torch.from_numpy(np.ascontiguousarray(given[0]))
    if "upsample" in op.name:
        size = (int(wanted.shape[-2]), int(wanted.shape[-1]))
        for name, resized in resizings(first, size):
            yield f"it resizes by another convention: {name}", resized.numpy()
    elif op.name == "avg_pool2d":
        yield from _average_poolings(op, first)
    if op.name == "flip" or (wanted.ndim == 4 and wanted.shape[1] == 3):
        yield "red and blue are exchanged", np.flip(wanted, 1)


def _average_poolings(op: Op, first: Tensor) -> Iterator[tuple[str, NDArray[Any]]]:
    kernel, stride, padding = (op.argument(n) for n in ("kernel_size", "stride", "padding"))
    for ceil in (False, True):
        for counts in (False, True):
            says = (
                f"it pools with ceil_mode={ceil} and count_include_pad={counts}; the network has "
                f"ceil_mode={bool(op.argument('ceil_mode'))} and "
                f"count_include_pad={bool(op.argument('count_include_pad'))}"
            )
            pooled = F.avg_pool2d(first, kernel, stride or kernel, padding, ceil, counts)
            yield says, pooled.numpy()
    step = list(stride or kernel)
    over = [-int(first.shape[2 + axis]) % int(step[axis]) for axis in (0, 1)]
    padded = F.pad(first, (0, over[1], 0, over[0]))
    yield (
        "it fills up the last windows with zeros and counts them; the network leaves them out",
        F.avg_pool2d(padded, kernel, step).numpy(),
    )


def resizings(maps: Tensor, size: tuple[int, int]) -> Iterator[tuple[str, Tensor]]:
    """Resize maps (b, c, h, w) by every convention that is in use, each with its name."""
    half: Callable[[Tensor, float], Tensor] = lambda x, ratio: (x + 0.5) * ratio - 0.5  # noqa: E731
    asymmetric: Callable[[Tensor, float], Tensor] = lambda x, ratio: x * ratio  # noqa: E731
    yield "linear, half-pixel centres", _linear(maps, size, half)
    yield (
        "linear, corners aligned",
        F.interpolate(maps, size=size, mode="bilinear", align_corners=True),
    )
    yield "linear, asymmetric (places are multiplied)", _linear(maps, size, asymmetric)
    yield "nearest, half-pixel centres", F.interpolate(maps, size=size, mode="nearest-exact")
    yield "nearest, rounded down (asymmetric)", F.interpolate(maps, size=size, mode="nearest")
    yield (
        "linear with antialiasing",
        F.interpolate(maps, size=size, mode="bilinear", antialias=True),
    )
    yield "cubic, half-pixel centres", F.interpolate(maps, size=size, mode="bicubic")
    yield "areas averaged", F.interpolate(maps, size=size, mode="area")


def _linear(
    maps: Tensor, size: tuple[int, int], place: Callable[[Tensor, float], Tensor]
) -> Tensor:
    for axis, length in ((2, size[0]), (3, size[1])):
        before = maps.shape[axis]
        at = place(torch.arange(length, dtype=torch.float64), before / length).clamp(0, before - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=before - 1)
        shape = [1, 1, 1, 1]
        shape[axis] = length
        share = (at - low).to(maps.dtype).reshape(shape)
        maps = maps.index_select(axis, low) * (1 - share) + maps.index_select(axis, high) * share
    return maps


def _straight_line(wanted: NDArray[Any], found: NDArray[Any], error: float) -> str:
    """Say whether the result is the wanted one, stretched and shifted."""
    if wanted.size < 16 or float(wanted.std()) == 0:
        return ""
    slope, shift = np.polyfit(wanted.reshape(-1), found.reshape(-1), 1)
    left = relative_error(found, wanted * slope + shift)
    if left < EXPLAINS * error and abs(slope) > 1e-3:
        return f"its values are the network's times {slope:.4g}, plus {shift:.4g}"
    return ""
