"""Ground truth through `encode`, `perfect` and `decode`, and what comes back of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import (
    Said,
    StageFailed,
    detections_in,
    is_same,
    pairwise_iou,
    stage,
)
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.pipeline import DetectionPipeline

PIXELS = 1.0  # that a corner may be off
SHARE = 0.02  # of a box's longer side, that a corner of a large box may be off
TOUCHES = 0.3  # IoU: it is still the same object
CONFIDENT = 0.5  # of the highest score: an answer that is meant
MOST_ALONE = 64  # boxes that are tried once more, alone in their image


class Fate(StrEnum):
    """What became of a box."""

    SAME = "same"  # where it was, with its label
    MOVED = "moved"  # its label, at another place or size
    RELABELLED = "relabelled"  # its place, with another label
    LOST = "lost"
    CROWDED = "crowded"  # comes back alone, and not together with its neighbours
    UNTARGETED = "untargeted"  # `encode` makes nothing of it


@dataclass(frozen=True, kw_only=True, eq=False)
class Returned:
    """One box of ground truth.

    - `sample`, `box`: its place in `pipeline.samples` and among the sample's sound boxes;
    - `was_xyxy`, `label`: what went in; `said_xyxy`, `said_label`, `score`: what came back;
    - `iou`: of both.
    """

    sample: int
    box: int
    was_xyxy: Tensor
    label: int
    fate: Fate
    said_xyxy: Tensor | None = None
    said_label: int | None = None
    score: float = 0.0
    iou: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundTrip:
    """All boxes, and how many confident detections belong to none or come twice."""

    returned: tuple[Returned, ...]
    num_extra: int
    failed: StageFailed | None = None


def round_trip(pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]) -> RoundTrip:
    """Send every sample's boxes there and back; those that get lost go once more, alone."""
    for name in ("encode", "perfect", "decode"):
        stage(pipeline, name)
    returned: list[Returned] = []
    num_extra = num_alone = 0
    try:
        for one, boxes, labels in sound_boxes(labelled):
            found = there_and_back(pipeline, boxes, labels)
            num_extra += _num_extra(found, boxes)
            for number in range(len(boxes)):
                came = _returned(one.number, number, boxes, labels, found)
                if came.fate is not Fate.SAME and num_alone < MOST_ALONE:
                    num_alone += 1
                    came = _alone(pipeline, came)
                returned.append(came)
    except StageFailed as failure:
        return RoundTrip(returned=tuple(returned), num_extra=num_extra, failed=failure)
    return RoundTrip(returned=tuple(returned), num_extra=num_extra)


def there_and_back(pipeline: DetectionPipeline, boxes: Tensor, labels: Tensor) -> Said:
    """Encode boxes, let the network say exactly that, and decode it."""
    targets = encoded(pipeline, boxes, labels)
    outputs = stage(pipeline, "perfect")(targets)
    return detections_in(stage(pipeline, "decode")(outputs))


def encoded(pipeline: DetectionPipeline, boxes: Tensor, labels: Tensor) -> Any:
    """Encode copies of boxes and labels, in the types of samples."""
    return stage(pipeline, "encode")(boxes.float().clone(), labels.long().clone())


def is_untargeted(pipeline: DetectionPipeline, box: Tensor, label: int) -> bool:
    """Say whether `encode` makes the same of an image with this box as of one without."""
    with_it = encoded(pipeline, box[None], torch.tensor([label]))
    try:
        without = encoded(pipeline, torch.zeros(0, 4), torch.zeros(0))
    except StageFailed:
        return False  # it takes no empty image, and nothing follows from that
    return is_same(with_it, without) is True


def _alone(pipeline: DetectionPipeline, came: Returned) -> Returned:
    boxes, labels = came.was_xyxy[None], torch.tensor([came.label])
    if is_untargeted(pipeline, came.was_xyxy, came.label):
        return _with_fate(came, Fate.UNTARGETED)
    found = there_and_back(pipeline, boxes, labels)
    alone = _returned(came.sample, came.box, boxes, labels, found, index=0)
    return _with_fate(came, Fate.CROWDED) if alone.fate is Fate.SAME else alone


def _with_fate(came: Returned, fate: Fate) -> Returned:
    return Returned(
        sample=came.sample, box=came.box, was_xyxy=came.was_xyxy, label=came.label, fate=fate
    )


def _returned(
    sample: int, box: int, boxes: Tensor, labels: Tensor, found: Said, *, index: int | None = None
) -> Returned:
    number = box if index is None else index
    was, label = boxes[number], int(labels[number])
    fate, which = _fate(was, label, found)
    if which is None:
        return Returned(sample=sample, box=box, was_xyxy=was, label=label, fate=fate)
    return Returned(
        sample=sample,
        box=box,
        was_xyxy=was,
        label=label,
        fate=fate,
        said_xyxy=found.boxes_xyxy[which],
        said_label=int(found.labels[which]),
        score=float(found.scores[which]),
        iou=float(pairwise_iou(was[None], found.boxes_xyxy[which][None])),
    )


def _fate(was: Tensor, label: int, found: Said) -> tuple[Fate, int | None]:
    if not len(found.labels):
        return Fate.LOST, None
    iou = pairwise_iou(was[None], found.boxes_xyxy)[0]
    is_close = (found.boxes_xyxy - was).abs().amax(1) <= allowed_error(was)
    is_labelled = found.labels == label
    if bool((is_close & is_labelled).any()):
        return Fate.SAME, _best(found.scores, is_close & is_labelled)
    if bool(is_close.any()):
        return Fate.RELABELLED, _best(found.scores, is_close)
    touching = is_labelled & (iou > TOUCHES)
    if bool(touching.any()):
        return Fate.MOVED, _best(iou, touching)
    return Fate.LOST, _best(found.scores, is_labelled) if bool(is_labelled.any()) else None


def allowed_error(was: Tensor) -> float:
    """Give by how many pixels a corner may be off."""
    return max(PIXELS, SHARE * float((was[2:] - was[:2]).max()))


def _best(values: Tensor, among: Tensor) -> int:
    return int(torch.where(among, values, values.new_tensor(-torch.inf)).argmax())


def _num_extra(found: Said, boxes: Tensor) -> int:
    if not len(found.labels):
        return 0
    is_meant = found.scores > CONFIDENT * found.scores.max()
    iou = pairwise_iou(found.boxes_xyxy[is_meant], boxes)
    return max(0, int(is_meant.sum()) - int((iou.amax(0) > TOUCHES).sum()))
