"""Objects that two rows answer to, one surer than the other, and what `decode` keeps of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import Said, StageFailed, detections_in, pairwise_iou, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors, tensors_in
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.statements import mixed, speaks

SURE = 0.6  # of the way from an empty image's outputs to a certain object's
MOST_TRIES, ENOUGH, LEAST = 60, 6, 3
STEPS = ((0.15, 0.0), (0.0, 0.15), (-0.15, 0.0), (0.0, -0.15), (0.1, 0.1), (0.22, 0.0), (0.0, 0.22))
ANSWERS, APART = (
    0.7,
    0.985,
)  # IoU: above the first it answers to the box, below the second beside it
LESS = 0.9999  # times the surer score
NUDGE = 0.02  # of a box's size: the same rows speak of it, with other numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class SecondAnswer:
    """One object.

    - `iou`: of the two boxes; `surer_score`, `score`: each alone in its image;
    - `has_surer`, `has_other`: whether each is there when both are stated.
    """

    iou: float
    surer_score: float
    score: float
    has_surer: bool
    has_other: bool


def second_answers(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> tuple[SecondAnswer, ...]:
    """State a box, and beside it, where other rows speak of it, one that is moved a little."""
    for name in ("encode", "perfect", "decode"):
        stage(pipeline, name)
    found: list[SecondAnswer] = []
    try:
        empty = _stated(pipeline, torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0))
        for box, other, label in _tries(labelled):
            one = _both(pipeline, empty, (box, other), label)
            found += [] if one is None else [one]
            if len(found) >= ENOUGH:
                break
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    if len(found) < LEAST:
        raise NotObservable("no two rows can be made to answer to one object")
    return tuple(found)


def _stated(pipeline: DetectionPipeline, boxes: Tensor, labels: Tensor) -> Any:
    return stage(pipeline, "perfect")(encoded(pipeline, boxes, labels))


def _tries(labelled: tuple[Labelled, ...]) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Give boxes with room around them, each with one beside it, and their label."""
    count = 0
    for one, boxes, labels in sound_boxes(labelled):
        room = torch.tensor([one.width, one.height], dtype=torch.float64)
        for box, label in zip(boxes, labels.tolist(), strict=True):
            for turn in range(2):
                step = torch.tensor(STEPS[(count + turn) % len(STEPS)], dtype=torch.float64)
                other = box + (step * (box[2:] - box[:2])).repeat(2)
                if bool((other[:2] >= 0).all() and (other[2:] <= room).all()):
                    count += 1
                    yield box, other, label
                if count >= MOST_TRIES:
                    return


def _both(
    pipeline: DetectionPipeline, empty: Any, boxes: tuple[Tensor, Tensor], label: int
) -> SecondAnswer | None:
    """State both; None where they cannot be told apart, or where one does not come back alone."""
    labels = torch.tensor([label])
    nudged = boxes[1] + NUDGE * (boxes[1][2:] - boxes[1][:2]).repeat(2)
    surer, second, like = (_stated(pipeline, b[None], labels) for b in (*boxes, nudged))
    faint = mixed(_fainter, second, like, empty)
    beside = mixed(_where_silent, faint, surer, empty)
    if _is_same(beside, empty):
        return None
    alone, less = (_surest(pipeline, said, boxes[0], label) for said in (surer, beside))
    if alone is None or less is None or not 0 < less[1] < LESS * alone[1]:
        return None
    iou = float(pairwise_iou(alone[0][None], less[0][None]))
    if not ANSWERS < iou < APART:
        return None
    both = mixed(_over, faint, surer, empty)
    said = _decoded(pipeline, both)
    return SecondAnswer(
        iou=iou,
        surer_score=alone[1],
        score=less[1],
        has_surer=_has(said, alone[0], label),
        has_other=_has(said, less[0], label),
    )


def _where_silent(faint: Tensor, surer: Tensor, empty: Tensor) -> Tensor:
    return torch.where(speaks(surer, empty), empty, faint)


def _over(faint: Tensor, surer: Tensor, empty: Tensor) -> Tensor:
    return torch.where(speaks(surer, empty), surer, faint)


def _fainter(second: Tensor, like: Tensor, empty: Tensor) -> Tensor:
    """Go a part of the way to what is stated; numbers of boxes, which a nudge moves, stay."""
    is_box = (second != like) & (second != empty) & (like != empty)
    return torch.where(is_box, second, empty + SURE * (second - empty))


def _is_same(one: Any, other: Any) -> bool:
    pairs = zip(tensors_in(one), tensors_in(other), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs)


def _decoded(pipeline: DetectionPipeline, outputs: Any) -> Said:
    copied = map_tensors(outputs, torch.clone)
    return detections_in(stage(pipeline, "decode")(copied))


def _surest(
    pipeline: DetectionPipeline, outputs: Any, box: Tensor, label: int
) -> tuple[Tensor, float] | None:
    """Give the surest detection of this label that overlaps the box widely, and its score."""
    said = _decoded(pipeline, outputs)
    if not len(said.labels):
        return None
    near = (pairwise_iou(box[None], said.boxes_xyxy)[0] > ANSWERS) & (said.labels == label)
    if not bool(near.any()):
        return None
    best = int(said.scores.masked_fill(~near, -torch.inf).argmax())
    return said.boxes_xyxy[best], float(said.scores[best])


def _has(said: Said, box: Tensor, label: int) -> bool:
    if not len(said.labels):
        return False
    iou = pairwise_iou(box[None], said.boxes_xyxy)[0]
    return bool(((iou > APART) & (said.labels == label)).any())
