"""A sampling grid whose numbers are not what `grid_sample` takes them for.

## What it finds
Grids for `F.grid_sample` that run over a whole map and whose first number, which is x, runs along
rows where the second, which is y, runs along columns; that run from 0 to 1 where -1 to 1 is meant;
or that mostly lie far outside of -1 to 1, as pixels do.

## Why it costs AP
The map is transposed, or only its lower right quarter is looked at, or nothing but the padding; the
shapes are right.

## Usual causes
- `torch.stack((ys, xs), -1)` where (x, y) is meant.
- `(arange(w) + 0.5) / w` without `* 2 - 1`; coordinates in pixels.

## When it is not a fault
Crops and regions of interest, which are smaller than the map, and scattered points. A turned map on
purpose: allow the check, with that reason.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace
from pocketdet.doctor.trace.replay import last_reads

SAMPLERS = ("grid_sampler_2d", "grid_sampler", "cudnn_grid_sampler")
LEAST_SIDE = 4
ALONG, ACROSS = 0.9, 0.3  # correlation of a number with the axis that it runs along, and the other
OUTSIDE = 2.0  # from the middle; the border is at 1
MOSTLY = 0.7
QUARTER = (-0.15, 1.15)  # from 0 to 1, with learnt offsets


@torch.no_grad()
def find_misread_grids(trace: Trace) -> Iterator[Fault]:
    wanted = {op.index for op in trace.named(*SAMPLERS)}
    if not wanted:
        return
    run, unneeded = Run(trace), last_reads(trace)
    seen: set[str] = set()
    for op in trace.forward_ops:
        if op.index in wanted and str(op.source) not in seen and len(op.inputs) > 1:
            words = _wrong(run.tensors[op.inputs[1].slot], op.inputs[0].shape)
            if words:
                seen.add(str(op.source))
                yield _fault(op, words)
        run.step(op)
        for slot in unneeded.get(op.index, ()):
            run.tensors.pop(slot, None)


def _wrong(grid: Tensor, features: tuple[int, ...]) -> str:
    """Say what is wrong with a grid (b, h, w, 2), "" where nothing is."""
    _, height, width, _ = grid.shape
    if min(height, width) < LEAST_SIDE or not bool(grid.isfinite().all()):
        return ""
    x, y = grid.double().mean(0).unbind(-1)
    is_straight = _runs(x, 1) and _runs(y, 0)
    if _runs(x, 0) and _runs(y, 1):
        return "its first number, which is x, runs from row to row, and its second along columns"
    if is_straight and float((grid.abs() > OUTSIDE).any(-1).double().mean()) > MOSTLY:
        return f"most of it lies beyond {OUTSIDE:g}, where the border is at 1: are these pixels?"
    low, high = QUARTER
    ranges = [(float(part.min()), float(part.max())) for part in (x, y)]
    is_quarter = all(low < least < 0.35 and 0.65 < most < high for least, most in ranges)
    if is_quarter and features[2:] == (height, width) and is_straight:
        return "both numbers run from 0 to 1, where -1 is the left and upper border"
    return ""


def _runs(number: Tensor, axis: int) -> bool:
    """Say whether a number runs along this axis, and not along the other."""
    along, across = number.mean(1 - axis), number.mean(axis)
    place = torch.arange(len(along), dtype=number.dtype)
    spread, other = float(along.std()), float(across.std())
    if spread == 0:
        return False
    correlation = float(torch.corrcoef(torch.stack([place, along]))[0, 1])
    return abs(correlation) > ALONG and other < ACROSS * spread


def _fault(op: Op, words: str) -> Fault:
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` samples a {'×'.join(map(str, op.inputs[0].shape))} map by a "
        f"{'×'.join(map(str, op.inputs[1].shape))} grid of (x, y) between -1 and 1, but {words}.",
        at=op.index,
    )


CHECK = Check(
    id="misread-grid",
    summary="a sampling grid in another order or range than is taken",
    stage=Stage.REGISTRATION,
    severity=Severity.WARNING,
    remedy="Stack x before y, and scale by `(index + 0.5) / size * 2 - 1` with "
    "`align_corners=False`.",
    find=find_misread_grids,
)
