"""A class that can never be a target, or never be found.

## What it finds
Boxes of the samples are encoded with every class in turn, those included that the samples lack.
It reports classes of which `encode` makes nothing or the same as of another class, on which a stage
fails, and ones that come back from `decode` as another class or not at all.

## Why it costs AP
The class has an AP of 0, whatever the network learns; with ten classes that is a tenth of AP.

## Usual causes
- The first class taken for the background, or the last one cut off with it.
- One output too few: `num_classes` with and without background at the two ends.
- A map from category ids to classes that is not one to one.

## When it is not a fault
Classes that are joined on purpose: give `num_classes` after joining.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import (
    Said,
    StageFailed,
    is_same,
    pairwise_iou,
    stage,
    stage_source,
)
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded, is_untargeted, there_and_back
from pocketdet.doctor.pipeline import DetectionPipeline

MOST_CLASSES = 120  # the first, the last and some between, where there are more
MOST_TRIES = 12  # boxes, until one is found that some class comes back for
OVERLAPS = 0.3  # IoU with a detection that is the box's


def find_unreachable_classes(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    stage(pipeline, "encode")
    box = _usable_box(pipeline, labelled)
    classes = _classes(pipeline.num_classes)
    failing, untargeted, confused = _encoded_classes(pipeline, box, classes)
    yield from _told(pipeline, "encode", failing, "makes `encode` fail", failing)
    yield from _told(
        pipeline,
        "encode",
        untargeted,
        "is no target: `encode` makes of it what it makes of an empty image",
    )
    yield from _told(pipeline, "encode", confused, "is the same target as another class", confused)
    if pipeline.perfect is None or pipeline.decode is None:
        return
    left = [c for c in classes if c not in {**failing, **dict.fromkeys(untargeted), **confused}]
    lost = _lost_classes(pipeline, box, left)
    if len(lost) < len(left) or len(left) == 1:
        yield from _told(pipeline, "decode", lost, "does not come back", lost)


def _usable_box(pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]) -> Tensor:
    """Give a box of the samples that `encode` makes a target of, for its own or any class."""
    boxes: list[tuple[Tensor, int]] = []
    for _, some, labels in sound_boxes(labelled):
        boxes += zip(some, labels.tolist(), strict=True)
    boxes.sort(key=lambda pair: -float((pair[0][2:] - pair[0][:2]).prod()))
    step = max(1, len(boxes) // MOST_TRIES)
    others = (0, pipeline.num_classes // 2, pipeline.num_classes - 1)
    for box, label in boxes[len(boxes) // 2 :: step] + boxes[::step]:
        for candidate in (label, *others):
            try:
                if not is_untargeted(pipeline, box, candidate):
                    return box
            except StageFailed:
                continue
    raise NotObservable("`encode` makes no target of any box that was tried")


def _classes(count: int) -> list[int]:
    if count <= MOST_CLASSES:
        return list(range(count))
    return sorted({*range(40), *range(count - 40, count), *range(0, count, count // 40)})


def _encoded_classes(
    pipeline: DetectionPipeline, box: Tensor, classes: list[int]
) -> tuple[dict[int, str], list[int], dict[int, str]]:
    failing: dict[int, str] = {}
    untargeted: list[int] = []
    confused: dict[int, str] = {}
    kept: list[tuple[int, object]] = []
    for label in classes:
        try:
            if is_untargeted(pipeline, box, label):
                untargeted.append(label)
                continue
            target = encoded(pipeline, box[None], torch.tensor([label]))
        except StageFailed as failure:
            failing[label] = str(failure)
            continue
        twin = next((c for c, other in kept if is_same(target, other) is True), None)
        if twin is not None:
            confused[label] = f"class {twin}"
        kept.append((label, target))
    return failing, untargeted, confused


def _lost_classes(pipeline: DetectionPipeline, box: Tensor, classes: list[int]) -> dict[int, str]:
    lost: dict[int, str] = {}
    for label in classes:
        try:
            found = there_and_back(pipeline, box[None], torch.tensor([label]))
        except StageFailed as failure:
            lost[label] = str(failure)
            continue
        said = _said_of(found, box)
        if label not in said:
            lost[label] = f"class {said[0]} comes back" if said else "nothing comes back"
    return lost


def _said_of(found: Said, box: Tensor) -> list[int]:
    """Give the labels said of the box, the surest first; of anything, where boxes are astray."""
    if not len(found.labels):
        return []
    order = found.scores.argsort(descending=True)
    near = pairwise_iou(box[None], found.boxes_xyxy)[0][order] > OVERLAPS
    chosen = order[near] if bool(near.any()) else order[:1]
    return found.labels[chosen].tolist()


def _told(
    pipeline: DetectionPipeline,
    name: str,
    classes: list[int] | dict[int, str],
    words: str,
    why: dict[int, str] | None = None,
) -> Iterator[Fault]:
    if not classes:
        return
    first = next(iter(classes))
    reason = f" ({why[first]})" if why else ""
    others = f", and so are {len(classes) - 1} others of {pipeline.num_classes}"
    yield Fault(
        where="",
        source=stage_source(pipeline, name),
        evidence=f"Class {first} {words}{reason}{others if len(classes) > 1 else ''}.",
        measured={"classes": list(classes), "num_classes": pipeline.num_classes},
    )


CHECK = Check(
    id="unreachable-class",
    summary="a class that can never be a target, or never be found",
    stage=Stage.ROUND_TRIP,
    severity=Severity.ERROR,
    remedy="Decide in one place whether a background comes first, last or not at all, and let "
    "`encode`, the loss, `decode` and the width of the head follow it.",
    find=find_unreachable_classes,
    explained_by=("lost-ground-truth",),
)
