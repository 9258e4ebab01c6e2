"""Priors that fit the objects of the data badly.

## What it finds
For each object, the best overlap (IoU) with any of `row_boxes`, where these are priors of several
sizes; and the share of objects that none overlaps by half, by size.

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


def find_ill_fitting_priors(
    row_boxes: Tensor | Sequence[Tensor], labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    given = row_boxes if isinstance(row_boxes, Tensor) else torch.cat(list(row_boxes))
    priors = given.detach().double().reshape(-1, 4).cpu()
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
