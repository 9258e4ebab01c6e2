"""Priors that fit the objects of the data badly.

## What it finds
For each object, the best overlap (IoU) with any of `row_boxes`, where these are priors of several
sizes; and the share of objects that none overlaps by half, by size. And priors that are one and
the same box several times over.

## Why it costs AP
Matching takes what overlaps by half. The rest is trained on its best prior only, if at all, from
which the deltas are long: such objects are found late and boxed badly.

## Usual causes
- Priors of another data set or another input size.
- Aspect ratios applied twice, or priors that are all squares.
- No level fine enough for the small objects.

## When it is not a fault
Cells and points of anchor-free detectors are no priors: with fewer than three sizes the check is
not run.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import pairwise_iou
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes

FITS = 0.5  # IoU
BADLY = 0.5  # of the objects without a prior that fits
POORLY = 0.2
LEAST_SIZES = 3
MOST_BOXES = 300
TWICE = 0.2  # of the rows that claim a box which an earlier row claims too
GRAIN = 16.0  # parts of a pixel: closer boxes are the same
LIKE_A_CELL = 0.1  # of its size by which a cell's side is off the way to its neighbour


def find_ill_fitting_priors(
    row_boxes: Tensor | Sequence[Tensor], labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    given = row_boxes if isinstance(row_boxes, Tensor) else torch.cat(list(row_boxes))
    priors = given.detach().double().reshape(-1, 4).cpu()
    again = 1 - len((priors * GRAIN).round().unique(dim=0)) / max(len(priors), 1)
    if again >= TWICE and not _are_cells(priors):
        yield _same_boxes(priors, again)
        return
    if len((priors[:, 2:] - priors[:, :2]).round().unique(dim=0)) < LEAST_SIZES:
        raise NotObservable("`row_boxes` are cells, not priors of several sizes")
    best: list[Tensor] = []
    sides: list[Tensor] = []
    for one, boxes, _ in sound_boxes(labelled):
        best.append(pairwise_iou(boxes, priors).amax(1))
        sides.append(((boxes[:, 2:] - boxes[:, :2]).prod(1) / (one.height * one.width)).sqrt())
    overlap, side = torch.cat(best)[:MOST_BOXES], torch.cat(sides)[:MOST_BOXES]
    share = float((overlap < FITS).double().mean())
    if share >= POORLY:
        yield Fault(
            where="",
            evidence=f"{share:.0%} of {len(overlap)} objects have no prior that overlaps by half: "
            f"{_by_size(overlap, side)} (shares of the image's side); the median of the best "
            f"overlaps is {float(overlap.median()):.2f}.",
            measured={"share": share, "median": float(overlap.median())},
            severity=Severity.WARNING if share >= BADLY else Severity.INFO,
        )


def _are_cells(boxes: Tensor) -> bool:
    """Say whether boxes are as wide as it is from one to the next, as those of cells are."""
    width = (boxes[:, 2] - boxes[:, 0]).median()
    alike = boxes[((boxes[:, 2] - boxes[:, 0]) - width).abs() < 1 / GRAIN]
    steps = ((alike[:, 0] + alike[:, 2]) / 2).unique().diff()
    steps = steps[steps > 1 / GRAIN]
    return bool(len(steps)) and float((steps.min() / width - 1).abs()) < LIKE_A_CELL


def _same_boxes(priors: Tensor, again: float) -> Fault:
    boxes, counts = (priors * GRAIN).round().unique(dim=0, return_counts=True)
    x1, y1, x2, y2 = (boxes[int(counts.argmax())] / GRAIN).tolist()
    size = f"{x2 - x1:.0f}×{y2 - y1:.0f}"
    return Fault(
        where="",
        evidence=f"{again:.0%} of {len(priors):,} rows claim a box that an earlier row claims: "
        f"{int(counts.max())} priors are one box of {size} px at ({(x1 + x2) / 2:.0f}, "
        f"{(y1 + y2) / 2:.0f}).",
        measured={"again": again, "priors": len(priors)},
        severity=Severity.WARNING,
    )


def _by_size(overlap: Tensor, side: Tensor) -> str:
    parts: list[str] = []
    for words, low, high in (("below .1", 0, 0.1), (".1 to .3", 0.1, 0.3), ("above .3", 0.3, 9)):
        which = (side >= low) & (side < high)
        if bool(which.any()):
            badly = int((overlap[which] < FITS).sum())
            parts.append(f"{badly} of {int(which.sum())} {words}")
    return ", ".join(parts)


CHECK = Check(
    id="ill-fitting-prior",
    summary="priors that overlap the objects of the data badly",
    stage=Stage.LOSS,
    severity=Severity.WARNING,
    remedy="Choose the priors' sizes and aspect ratios from the boxes of the data, in pixels of "
    "the network's input.",
    find=find_ill_fitting_priors,
    explained_by=("unsound-sample",),
)
