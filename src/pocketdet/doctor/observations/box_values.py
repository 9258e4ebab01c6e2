"""What the training loss makes of boxes at rows that speak of no object."""

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed
from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in, with_tensors
from pocketdet.doctor.observations.answer_costs import (
    MOVES,
    STEP,
    mixed_where_both_speak,
    off,
    relabelled,
)
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.observations.loss_sums import loss_sums
from pocketdet.doctor.observations.truths import Truths
from pocketdet.doctor.pipeline import DetectionPipeline

LEAST_ELSEWHERE = 0.3  # of the rows; with fewer there is no background
MOST_SLICES = 600  # along an axis of channels
NUM_DRAWS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxValues:
    """The same change of boxes, at rows that speak of objects and at all others.

    - `costs_at_boxes`, `costs_elsewhere`: by how much the loss rises;
    - `share_elsewhere`: of the numbers of boxes that belong to no object;
    - `source`: the line of the term that minds the others most.
    """

    costs_at_boxes: float
    costs_elsewhere: float
    share_elsewhere: float
    source: SourceLine | None


def box_values(
    answered_loss: AnsweredLoss, truths: Truths, pipeline: DetectionPipeline
) -> BoxValues:
    """Find which values of the outputs are boxes' by what changes when boxes are moved."""
    try:
        spoken, boxes = _of_boxes(truths, pipeline)
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    elsewhere = {path: mask & ~spoken[path] for path, mask in boxes.items()}
    count = sum(int(mask.sum()) for mask in boxes.values())
    silent = sum(int(mask.sum()) for mask in elsewhere.values())
    if not count or silent < LEAST_ELSEWHERE * count:
        raise NotObservable("which rows speak of no box cannot be told")
    at_boxes = {path: mask & spoken[path] for path, mask in boxes.items()}
    torch.manual_seed(0)
    answers = [truths.truth]
    for masks in (at_boxes, elsewhere):
        answers += [_shaken(truths, masks, at_boxes) for _ in range(NUM_DRAWS)]
    truth, *others = loss_sums(answered_loss, answers)
    rises = [one.total - truth.total for one in others]
    if not all(map(isfinite, rises)):
        raise NotObservable("with boxes changed at random the loss is no number")
    terms = [
        (share.adds - before.adds, before.source)
        for share, before in zip(others[-1].shares, truth.shares, strict=True)
    ]
    return BoxValues(
        costs_at_boxes=sum(rises[:NUM_DRAWS]) / NUM_DRAWS,
        costs_elsewhere=sum(rises[NUM_DRAWS:]) / NUM_DRAWS,
        share_elsewhere=silent / count,
        source=max(terms, key=lambda pair: pair[0])[1] if terms else None,
    )


Masks = dict[str, Tensor]


def _of_boxes(truths: Truths, pipeline: DetectionPipeline) -> tuple[Masks, Masks]:
    """Give which values speak of an object, and which are numbers of boxes, of objects or not.

    A slice along the axis of channels (or a whole output) is of boxes where moving boxes changes
    it at rows that speak before and after, and other classes do not.
    """
    true = dict(tensors_in(truths.truth))
    empty = dict(tensors_in(truths.nothing))
    spoken = {path: true[path] != empty[path] for path in true}
    said_by = dict(spoken)
    moved: Masks = {path: torch.zeros_like(mask) for path, mask in spoken.items()}
    for kind in range(len(MOVES)):
        other = truths.state(partial(off, kind=kind, by=STEP))
        mixed = mixed_where_both_speak(truths, other)
        for path, said in tensors_in(mixed) if mixed is not None else ():
            moved[path] |= said != true[path]
        for path, said in tensors_in(other):
            said_by[path] = said_by[path] | (said != empty[path])
    named: Masks = {path: torch.zeros_like(mask) for path, mask in spoken.items()}
    if pipeline.num_classes > 1:
        other = truths.state(partial(relabelled, num_classes=pipeline.num_classes))
        named = {path: said != true[path] for path, said in tensors_in(other)}
    boxes: Masks = {}
    rows: Masks = {}
    for path in true:
        boxes[path], axis = _slices_of(moved[path], named[path])
        if true[path].ndim > 1:  # a row speaks as a whole
            rows[path] = said_by[path].any(axis, keepdim=True)
            spoken[path] = rows[path].expand_as(said_by[path])
    return _by_classes(spoken, rows, named, boxes), boxes


def _by_classes(spoken: Masks, rows: Masks, named: Masks, boxes: Masks) -> Masks:
    """Where boxes are stated at every row, those speak whose class is stated."""
    sure = {
        path: mask.any(_axis_left(rows[path], mask), keepdim=True)
        for path, mask in named.items()
        if path in rows and bool(mask.any())
    }
    for path, mask in boxes.items():
        alike = [r for r in sure.values() if path in rows and r.shape == rows[path].shape]
        if alike and bool(mask.any()) and bool(rows[path].all()):
            spoken[path] = torch.stack(alike).any(0).expand_as(spoken[path])
    return spoken


def _axis_left(rows: Tensor, mask: Tensor) -> int:
    """Give the axis along which rows have one value."""
    sizes = zip(rows.shape, mask.shape, strict=True)
    return next((n for n, (row, all_) in enumerate(sizes) if row != all_), mask.ndim - 1)


def _slices_of(moved: Tensor, named: Tensor) -> tuple[Tensor, int]:
    """Give the values of the slices along one axis that boxes alone move, and this axis."""
    smallest = min(range(1, moved.ndim), key=lambda a: moved.shape[a], default=0)
    if not bool(moved.any()):
        return torch.zeros_like(moved), smallest
    if not bool(named.any()):
        return torch.ones_like(moved), smallest
    for axis in reversed(range(1, moved.ndim)):
        if moved.shape[axis] > MOST_SLICES:
            continue
        others = [a for a in range(moved.ndim) if a != axis]
        by_boxes, by_classes = moved.any(others), named.any(others)  # pyright: ignore[reportCallIssue, reportArgumentType] - a list of axes is taken
        if not bool((by_boxes & by_classes).any()):
            shape = [-1 if a == axis else 1 for a in range(moved.ndim)]
            return by_boxes.reshape(shape).expand_as(moved), axis
    return torch.zeros_like(moved), smallest


def _shaken(truths: Truths, masks: Masks, typical: Masks) -> Any:
    """Give the truth with noise at these values, as large as boxes' numbers usually are."""
    made: list[Tensor] = []
    for path, tensor in tensors_in(truths.truth):
        if not tensor.is_floating_point() or path not in masks:
            made.append(tensor)
            continue
        usual = tensor[typical[path]]
        size = float(usual.double().square().mean().sqrt()) if usual.numel() else 0.0
        shaken = tensor + size * torch.randn_like(tensor)
        if usual.numel() and bool((usual >= 0).all()):
            shaken = shaken.abs()  # distances, of which a loss may take the logarithm
        made.append(torch.where(masks[path], shaken, tensor))
    return with_tensors(truths.truth, made)
