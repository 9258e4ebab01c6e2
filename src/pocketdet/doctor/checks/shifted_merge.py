"""Maps that are added, multiplied or joined, and look at different places of the image.

## What it finds
At every sum, product or concatenation of maps of one size, where each operand's cells look is
measured by the middle of their squared input gradient, away from the border. It reports operands
that are mirrored, turned or scaled against each other, and ones that are apart by more than three
quarters of a cell of the coarser one.

## Why it costs AP
What was seen in one place is added to what was seen in another; boxes come out shifted, and
small objects are lost.

## Usual causes
- Height and width exchanged in a resize, a reshape or an attention map.
- An upsampled map that is cut or padded on one side to fit, instead of being resized.
- `torch.roll`, or a flip that is not undone.
- Two branches with another number of stride-2 steps, or other padding.

## When it is not a fault
Half a cell of the coarser map is the usual thing (3×3 convolutions with stride 2 and padding 1, and
nearest or bilinear upsampling, do that to every feature pyramid) and is not told. Shifted copies of
one map, as in a correlation volume or a shift layer, are left alone, and so is whatever looks at
the whole image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import are_copies
from pocketdet.doctor.look import Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.places import MapLooks, Merge, Places, are_alike
from pocketdet.doctor.trace import Op
from pocketdet.doctor.trace.graph import Value

SHIFTED = 0.75  # of a cell of the coarser map; half a cell is usual
FAR = 1.5
SCALED = 1.5  # times as many pixels from cell to cell as in the other operand
LOCAL = 0.2  # of the image's side; what looks everywhere spreads by .29
BORDER = 1.5  # spreads from the border: nothing is cut off
NOISE = 0.35  # spreads: a cell's error, all channels together
LEAST_CELLS = 4  # along each axis, away from the border
RUNS_OVER = 0.3  # of the image, from the first to the last cell
EVEN = 0.6  # of a map's cells that must lie on a straight line
EVEN_WITHIN = 1.0  # spreads and steps together from the line
LEAST_SEEING = 0.1  # of the cells that depend on the image in both operands


@dataclass(frozen=True, kw_only=True)
class _View:
    """A straight line through what inner cells look at.

    - `steps`: (2, 2) pixels in x and y from cell to cell, along columns and along rows;
    - `spread`: of what one cell looks at, in pixels.
    """

    steps: Tensor
    spread: float


def find_shifted_merges(places: Places) -> Iterator[Fault]:
    num_seen = 0
    seen: set[tuple[str | None, str]] = set()
    for merge in places.merges:
        for fault, is_seen in _compared(merge, places):
            num_seen += is_seen
            place = merge.op.where, str(merge.op.source)
            if fault is not None and place not in seen:
                seen.add(place)
                yield fault
    if places.merges and not num_seen:
        raise NotObservable(
            "every cell of the merged maps sees beyond the image; give a larger one"
        )


def _compared(merge: Merge, places: Places) -> Iterator[tuple[Fault | None, bool]]:
    for (first, one), (second, other) in pairwise(merge.operands):
        if are_copies(first, second):
            continue
        views = _views(one, other, places)
        if views is not None:
            cell = _coarser_cell(first, second, places)
            yield _judged(merge.op, views, cell), True


def _views(one: MapLooks, other: MapLooks, places: Places) -> tuple[_View, _View, Tensor] | None:
    """Read both as (b, c, h, w) or both as (b, h, w, c), whichever makes them even.

    Gives both views, and by how many pixels the first is beside the second by each half, (2, 2).
    """
    for layout in ("channels_first", "channels_last"):
        both: list[Look | None] = [getattr(maps, layout) for maps in (one, other)]
        looks = [look for look in both if look is not None]
        is_pair = len(looks) == 2 and looks[0].shape == looks[1].shape
        inner = _inner(looks, places) if is_pair else None
        if inner is None:
            continue
        views = [_view(look, inner, places) for look in looks]
        if views[0] is not None and views[1] is not None:
            halves = [look.halves[:, inner[0], inner[1]].double() for look in looks]
            return views[0], views[1], (halves[0] - halves[1]).flatten(1, 2).median(1).values
    return None


def _inner(looks: list[Look], places: Places) -> tuple[slice, slice] | None:
    """Give the cells that see no border, None where there are too few or they see everything."""
    seen = looks[0].is_seeing & looks[1].is_seeing
    if float(seen.double().mean()) < LEAST_SEEING:
        return None
    spread = max(float(look.spread[seen].median()) for look in looks)
    if spread > LOCAL * max(places.height, places.width):
        return None
    slices: list[slice] = []
    for axis, pixels in ((0, places.height), (1, places.width)):
        cells = seen.shape[axis]
        seeing = seen.any(1 - axis).nonzero()[:, 0]
        margin = int(BORDER * spread * cells / pixels + 0.999)
        first, last = max(margin, int(seeing[0])), min(cells - margin, int(seeing[-1]) + 1)
        if last - first < LEAST_CELLS:
            return None
        slices.append(slice(first, last))
    return slices[0], slices[1]


def _view(look: Look, inner: tuple[slice, slice], places: Places) -> _View | None:
    """Draw the line by medians, which a rim that was rolled round does not move.

    Gives None for what does not run over the image along both axes, such as an axis of channels.
    """
    centres = look.centres[inner].double()
    height, width = centres.shape[:2]
    far = (max(1, height // 3), max(1, width // 3))
    by_row = _median((centres[far[0] :] - centres[: -far[0]]) / far[0])
    by_column = _median((centres[:, far[1] :] - centres[:, : -far[1]]) / far[1])
    size = torch.tensor([places.width, places.height], dtype=centres.dtype)
    runs_over = [
        (step * n / size).norm()
        for step, n in ((by_row, look.shape[0]), (by_column, look.shape[1]))
    ]
    if float(min(runs_over)) < RUNS_OVER:
        return None
    rows = torch.arange(height, dtype=centres.dtype)[:, None, None]
    columns = torch.arange(width, dtype=centres.dtype)[None, :, None]
    beside = centres - columns * by_column - rows * by_row
    beside = (beside - _median(beside)).norm(dim=-1)
    spread = float(look.spread[inner].median())
    step = float(torch.stack([by_column, by_row]).norm(dim=1).mean())
    if float((beside < EVEN_WITHIN * (spread + step)).double().mean()) < EVEN:
        return None
    return _View(steps=torch.stack([by_column, by_row]), spread=spread)


def _median(points: Tensor) -> Tensor:
    return points.flatten(0, 1).median(0).values


def _judged(op: Op, views: tuple[_View, _View, Tensor], cell: float) -> Fault | None:
    one, other, away = views
    words = _turned(one.steps, other.steps)
    if words:
        return _fault(op, f"{words}.", Severity.ERROR, {})
    error = NOISE * (one.spread**2 + other.spread**2) ** 0.5
    allowed = SHIFTED * cell + error
    agrees = (away[0].sign() == away[1].sign()) & (away.abs().amin(0) > allowed)
    if not bool(agrees.any()):
        return None
    shift = away.mean(0)
    cells = float(shift.abs().max()) / cell
    scaled = _scaled(one.steps, other.steps)
    words = (
        f"apart by {float(shift[0]):.0f} px in x and {float(shift[1]):.0f} in y, {cells:.1f} cells "
        f"of {cell:.0f} px (the coarser map's){scaled}."
    )
    severity = Severity.ERROR if cells > FAR or scaled else Severity.WARNING
    return _fault(op, words.replace("-", "−"), severity, {"px": shift.tolist(), "cells": cells})


def _turned(one: Tensor, other: Tensor) -> str:
    """Say how one map lies against the other, "" where they lie alike."""
    straight = one.diagonal() * other.diagonal()
    crossed = torch.stack([one[0, 0] * other[1, 0], one[1, 1] * other[0, 1]])
    if bool((crossed.abs() > straight.abs()).all()):
        return "rows of the one lying along columns of the other"
    if bool((straight < 0).any()):
        sides = ("left and right", "top and bottom")
        names = [side for side, s in zip(sides, straight.tolist(), strict=True) if s < 0]
        return f"mirrored: {' and '.join(names)} exchanged"
    return ""


def _scaled(one: Tensor, other: Tensor) -> str:
    """Say by how much maps that are apart differ in scale.

    Scale alone is no fault: what also sees the whole image, such as pyramid pooling, has its
    middles drawn to the image's middle.
    """
    scale = (one.diagonal() / other.diagonal()).abs()
    largest = float(torch.maximum(scale, 1 / scale).max())
    if largest < SCALED:
        return ""
    return f", and at another scale: from cell to cell the one moves {largest:.1f} times as far"


def _coarser_cell(first: Value, second: Value, places: Places) -> float:
    """Give the pixels from cell to cell of the coarser map that the operands come from."""
    known: dict[int, float] = {}
    fewest = min(_finest_way(value, known, places) for value in (first, second))
    return (places.height * places.width / fewest) ** 0.5


def _finest_way(value: Value, known: dict[int, float], places: Places) -> float:
    """Give the number of cells where a value's way from the image, the finest one, is coarsest."""
    waiting = [value]
    while waiting:
        current = waiting[-1]
        before = [v for v in current.producer.inputs if v.is_float] if current.producer else []
        before = [v for v in before if v.producer is not None or v.kind == "input"]
        unknown = [v for v in before if id(v) not in known]
        if id(current) in known or not unknown:
            own = _cells(current, places)
            finest = max((known[id(v)] for v in before), default=own)
            known.setdefault(id(current), min(own, finest))
            waiting.pop()
        waiting.extend(unknown)
    return known[id(value)]


def _cells(value: Value, places: Places) -> float:
    """Give the places of a map; what has no sides like the image's bounds nothing."""
    if len(value.shape) != 4 or value.kind == "input":
        return float("inf")
    _, a, b, c = value.shape
    image = (places.height, places.width)
    alike = [h * w for h, w in ((b, c), (a, b)) if are_alike((h, w), image)]
    return float(max(alike, default=float("inf")))


def _fault(op: Op, words: str, severity: Severity, measured: dict[str, object]) -> Fault:
    shapes = " and ".join("×".join(map(str, value.shape)) for value in op.inputs[:2])
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The operands of `{op.name}`, {shapes}, look at different places: {words}",
        measured=measured,
        severity=severity,
        at=op.index,
    )


CHECK = Check(
    id="shifted-merge",
    summary="merged maps that look at different places of the image",
    stage=Stage.REGISTRATION,
    severity=Severity.WARNING,
    remedy="Resize the coarser map to the finer one's size by `F.interpolate(x, "
    "size=other.shape[-2:])`, keep (h, w) in this order in every reshape, and give both branches "
    "the same strides and padding.",
    find=find_shifted_merges,
)
