"""Output rows that look elsewhere in the image than the box that they claim.

## What it finds
For every output row, the middle of its squared input gradient (where it looks) is compared with
the middle of the box in `row_boxes` (where decoding will put what it says). It reports rows that
look elsewhere: columns and rows swapped, places in another order, the wrong stride or level, a
whole group of rows that is shifted by most of a cell. Where a deep path makes every row look at the
whole image, noise is put into one patch of the image at a time, and what the rows of a size answer
to beside each other must go with their boxes.

## Why it costs AP
Each row learns to speak of objects that it can hardly see. All shapes are right and the loss
falls, since the network learns the mean and what little it sees at the edge of its view; AP is a
fraction of what it should be.

## Usual causes
- `view` without `permute`: (b, anchors·k, h, w) is read in the order anchor, row, column where
  priors are in the order row, column, anchor.
- Priors made with x and y, or height and width, exchanged; levels joined in another order.
- A stride in the configuration that is not the feature map's; a centre at `i * stride` or
  `(i + 1) * stride` where `(i + 0.5) * stride` is meant.
- Padding on the wrong side.

## When it is not a fault
Rows that are not places, such as DETR's queries: they look everywhere, and are left out. Offsets of
less than three quarters of a cell are not told: 3×3 convolutions with stride 2 and padding 1 shift
every network that has them by nearly half a cell; where a coarse level is added to a fine one, by
half a cell of the coarse one, towards the upper left corner. A trained head may look at the side of
a box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import computing_op, layout_op, moved_from
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.row_places import RowPlaces, is_local, rows_of_one_size
from pocketdet.doctor.observations.rows_followed import RowsFollowed
from pocketdet.doctor.trace import Op

SHIFTED = 0.75  # cells; below it lie the usual stride-2 convolutions
FAR = 1.5  # cells: the object's own cell is no longer the nearest
CUT_OFF = 0.8  # spreads: how far the border of the image moves the middle of what is seen
NOISE = 0.5  # spreads: what a single row's estimate errs by
LEAST_SHARE = 0.3  # of an output's rows; fewer may be the border, or chance
LEAST_ROWS = 25  # inside the image, for an offset that can be trusted
MENDED = 0.35  # of the median distance is left where the cause is undone
MOST_LEVELS = 5
IN_ANOTHER_ORDER = " Joined in another order the levels look where their boxes are."
BORDER = 1.5  # spreads from the border: nothing is cut off


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Local rows of an output, (n, 2) each: where they look, by halves, and what they claim."""

    halves: Tensor
    centres: Tensor
    claimed: Tensor
    spread: Tensor
    cell: Tensor
    index: Tensor

    def picked(self, which: Tensor) -> "_Rows":
        return _Rows(
            halves=self.halves[:, which],
            centres=self.centres[which],
            claimed=self.claimed[which],
            spread=self.spread[which],
            cell=self.cell[which],
            index=self.index[which],
        )


def find_misplaced_rows(
    row_places: tuple[RowPlaces, ...], rows_followed: tuple[RowsFollowed, ...] = ()
) -> Iterator[Fault]:
    judged = [f for f in rows_followed if f.following.is_reliable]
    num_local = len(judged)
    astray = [f for f in judged if f.following.is_astray]
    if astray:
        yield _astray_fault(min(astray, key=lambda f: f.following.worst))
    for output in row_places:
        rows = _local_rows(output)
        num_local += len(rows.index)
        if not len(rows.index):
            continue
        is_far = _is_far(rows, output.width, output.height)
        if float(is_far.double().mean()) >= LEAST_SHARE:
            yield _far_fault(output, rows.picked(is_far), len(rows.index))
        else:
            yield from _shifted_faults(output, rows)
    if not num_local:
        raise NotObservable("every output row looks at the whole image")


def _local_rows(output: RowPlaces) -> _Rows:
    boxes = output.boxes_xyxy
    claimed = (boxes[:, :2] + boxes[:, 2:]) / 2
    rows = _Rows(
        halves=output.look.halves.double().cpu(),
        centres=output.look.centres.double().cpu(),
        claimed=claimed,
        spread=output.look.spread.double().cpu()[:, None],
        cell=_cells(boxes, claimed)[:, None],
        index=torch.arange(len(boxes)),
    )
    return rows.picked(is_local(output.look, output.height, output.width).cpu())


def _cells(boxes: Tensor, claimed: Tensor) -> Tensor:
    """Give the distance between neighbouring rows of each row's group, in pixels.

    Rows with boxes of one size are a group: an anchor at all places of a level.
    """
    cells = torch.ones(len(boxes), dtype=boxes.dtype)
    for members in rows_of_one_size(boxes):
        steps = [_smallest_step(claimed[members][:, axis]) for axis in (0, 1)]
        sizes = (boxes[members][:, 2:] - boxes[members][:, :2]).amax()
        cells[members] = max([s for s in steps if s > 0], default=max(float(sizes), 1.0))
    return cells


def _smallest_step(values: Tensor) -> float:
    different = values.unique()
    steps = different.diff()
    steps = steps[steps > 0.1]  # pixels; less is rounding
    return float(steps.min()) if len(steps) else 0.0


def _is_far(rows: _Rows, width: int, height: int) -> Tensor:
    """Say which rows look far from their box, by both halves and in spite of the border."""
    away = rows.halves - rows.claimed
    size = torch.tensor([width, height], dtype=away.dtype)
    room = torch.minimum(rows.claimed, size - rows.claimed)
    cut = torch.where(room < BORDER * rows.spread, CUT_OFF, 0.0) * rows.spread
    allowed = FAR * rows.cell + NOISE * rows.spread + cut
    agrees = (away[0].sign() == away[1].sign()) & (away.abs().amin(0) > allowed)
    return agrees.any(dim=1)


def _far_fault(output: RowPlaces, far: _Rows, num_rows: int) -> Fault:
    away = (far.centres - far.claimed).norm(dim=1)
    worst = int(away.argsort()[len(away) // 2])
    row = int(far.index[worst])
    place, claim = _point(far.centres[worst]), _point(far.claimed[worst])
    name = f"output{output.path or ''}"
    joined = _wrongly_joined(output, float(away.median()))
    path = moved_from(output.value, row=row)
    op, made_by = layout_op(path), computing_op(path)
    if joined is not None:
        op = made_by = joined
    return Fault(
        where=(made_by.where or "") if made_by else "",
        source=op.source if op else None,
        evidence=f"{len(far.index):,} of {num_rows:,} rows of {name} look elsewhere than their "
        f"box: row {row:,} claims the middle {claim} and looks at {place} px, "
        f"{float(away[worst]):.0f} px away (the median)."
        + (IN_ANOTHER_ORDER if joined else _explained(output, far)),
        measured={
            "share": len(far.index) / num_rows,
            "median_px": float(away.median()),
            "row": row,
        },
        at=op.index if op else 0,
    )


def _astray_fault(astray: RowsFollowed) -> Fault:
    row = int(astray.rows[len(astray.rows) // 2])
    path = moved_from(astray.output.value, row=row)
    op, made_by = layout_op(path), computing_op(path)
    by_axis = astray.following.straight.tolist()
    return Fault(
        where=(made_by.where or "") if made_by else "",
        source=op.source if op else None,
        evidence=f"What {len(astray.rows):,} rows of output{astray.output.path or ''} with boxes "
        f"of one size, such as row {row:,}, look at does not go with their boxes: "
        f"{astray.following.words()}",
        measured={"x": by_axis[0], "y": by_axis[1], "rows": len(astray.rows)},
        at=op.index if op else 0,
    )


def _wrongly_joined(output: RowPlaces, now: float) -> Op | None:
    """Give the operator that joins the levels, where another order of them would be right."""
    path = moved_from(output.value)
    joined = next((op for op in path if op.name == "cat"), None)
    if joined is None:
        return None
    sizes = [value.numel for value in joined.inputs]
    total, num_rows = sum(sizes), len(output.boxes_xyxy)
    rows = [size * num_rows // total for size in sizes]
    if not 1 < len(rows) <= MOST_LEVELS or sum(rows) != num_rows:
        return None
    claimed = (output.boxes_xyxy[:, :2] + output.boxes_xyxy[:, 2:]) / 2
    parts = output.look.centres.double().cpu().split(rows)
    for order in permutations(parts):
        if float((torch.cat(order) - claimed).norm(dim=1).median()) < MENDED * now:
            return joined
    return None


def _explained(output: RowPlaces, far: _Rows) -> str:
    size = torch.tensor([output.width, output.height], dtype=far.claimed.dtype)
    guesses = {
        " They look where x and y are exchanged.": far.claimed.flip(1),
        " They look at the mirror image of their box.": torch.stack(
            [size[0] - far.claimed[:, 0], far.claimed[:, 1]], dim=1
        ),
        " They look at the place upside down.": torch.stack(
            [far.claimed[:, 0], size[1] - far.claimed[:, 1]], dim=1
        ),
        " They look at half the place that they claim.": far.claimed / 2,
        " They look at twice the place that they claim.": far.claimed * 2,
    }
    now = float((far.centres - far.claimed).norm(dim=1).median())
    for words, guess in guesses.items():
        if float((far.centres - guess).norm(dim=1).median()) < MENDED * now:
            return words
    return ""


def _shifted_faults(output: RowPlaces, rows: _Rows) -> Iterator[Fault]:
    size = torch.tensor([output.width, output.height], dtype=rows.claimed.dtype)
    room = torch.minimum(rows.centres, size - rows.centres).amin(1, keepdim=True)
    inner = rows.picked((room > BORDER * rows.spread)[:, 0])
    seen: set[tuple[str, str]] = set()
    usual = (float(rows.cell.max()) - 1) / 2
    for members in rows_of_one_size(output.boxes_xyxy[inner.index]):
        group = inner.picked(members)
        if len(members) < LEAST_ROWS:
            continue
        offsets = (group.halves - group.claimed).median(1).values / group.cell[0]
        least = offsets.abs().amin(0) * (offsets[0].sign() == offsets[1].sign())
        backwards = max(SHIFTED, usual / float(group.cell[0]) + SHIFTED - 0.5)
        allowed = torch.where(offsets[0] < 0, backwards, SHIFTED) + _median_error(group)
        if bool((least < allowed).all()):
            continue
        fault = _shifted_fault(output, group, offsets.mean(0))
        if (fault.where, str(fault.source)) not in seen:
            seen.add((fault.where, str(fault.source)))
            yield fault


def _median_error(group: _Rows) -> float:
    """Give by how many cells the median may err: rows closer than their spread see the same."""
    spread, cell = float(group.spread.median()), float(group.cell[0])
    independent = max(1.0, len(group.index) * min(1.0, cell / (2 * spread + 1e-9)) ** 2)
    return 2 * NOISE * spread / cell / independent**0.5


def _shifted_fault(output: RowPlaces, group: _Rows, cells: Tensor) -> Fault:
    row = int(group.index[len(group.index) // 2])
    path = moved_from(output.value, row=row)
    op, made_by = layout_op(path), computing_op(path)
    cell = float(group.cell[0])
    is_far = float(cells.abs().max()) > FAR
    return Fault(
        where=(made_by.where or "") if made_by else "",
        source=op.source if op else None,
        evidence=f"{len(group.index):,} rows of output{output.path or ''} with cells of {cell:g} "
        f"px, such as row {row:,}, look {_signed(cells[0])} cells in x and {_signed(cells[1])} in "
        "y beside the middle of their box (the median).",
        measured={"cells_x": float(cells[0]), "cells_y": float(cells[1]), "cell_px": cell},
        severity=Severity.ERROR if is_far else Severity.WARNING,
        at=op.index if op else 0,
    )


def _signed(value: Tensor) -> str:
    return f"{float(value):+.1f}".replace("-", "−")


def _point(point: Tensor) -> str:
    return f"({float(point[0]):.0f}, {float(point[1]):.0f})"


CHECK = Check(
    id="misplaced-row",
    summary="output rows that look elsewhere than the box that they claim",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Make the rows in the order of the priors: from (b, anchors·k, h, w) by "
    "`permute(0, 2, 3, 1).reshape(b, -1, k)` for priors in the order row, column, anchor; and take "
    "each level's stride from the shape of its own feature map.",
    find=find_misplaced_rows,
    explained_by=("scrambled-row",),
)
