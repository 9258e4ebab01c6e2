"""Objects that no training target covers.

## What it finds
Boxes of the samples of which `encode` makes nothing: the targets are those of an empty image.

## Why it costs AP
Such an object is background in training. It is always the same kind (small, very wide, very
large), so that kind is never found; and the loss falls all the same.

## Usual causes
- Priors for another image size, or in relative numbers where pixels are meant.
- No level for small objects; aspect ratios that the data has and the priors have not.
- An IoU for matching that is too high, without the rule that every box gets its best prior.

## When it is not a fault
A detector that is not meant to find the smallest objects. The figure is told for each size, so that
it can be judged.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed, stage, stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import is_untargeted
from pocketdet.doctor.pipeline import DetectionPipeline

MANY = 0.5  # of all objects: AP cannot be right
SOME = 0.1  # of all objects
MOST_BOXES = 200


def find_uncovered_objects(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    stage(pipeline, "encode")
    objects = list(_objects(labelled))[:MOST_BOXES]
    try:
        covered = torch.tensor([not is_untargeted(pipeline, b, c) for b, c, _ in objects])
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    share = 1 - float(covered.double().mean()) if len(covered) else 0.0
    if share >= SOME:
        yield Fault(
            where="",
            source=stage_source(pipeline, "encode"),
            evidence=f"`encode` makes no target of {share:.0%} of {len(objects)} objects: "
            f"{_by_size(objects, covered)}{_by_class(objects, covered)}.",
            measured={"share": share, "objects": len(objects)},
            severity=Severity.ERROR if share >= MANY else Severity.WARNING,
        )


def _objects(labelled: tuple[Labelled, ...]) -> Iterator[tuple[Tensor, int, float]]:
    """Give boxes, labels, and the side of a box as a share of the image's."""
    for one, boxes, labels in sound_boxes(labelled):
        for box, label in zip(boxes, labels.tolist(), strict=True):
            area = float((box[2:] - box[:2]).prod())
            yield box, label, (area / (one.height * one.width)) ** 0.5


def _by_size(objects: Sequence[tuple[Tensor, int, float]], covered: Tensor) -> str:
    sides = torch.tensor([side for _, _, side in objects])
    parts: list[str] = []
    for name, low, high in (("small", 0, 0.1), ("medium", 0.1, 0.3), ("large", 0.3, 9)):
        which = (sides >= low) & (sides < high)
        if bool(which.any()):
            missed = int((~covered[which]).sum())
            parts.append(f"{missed} of {int(which.sum())} {name} ones")
    return ", ".join(parts)


def _by_class(objects: Sequence[tuple[Tensor, int, float]], covered: Tensor) -> str:
    labels = torch.tensor([label for _, label, _ in objects])
    never = [c for c in labels.unique().tolist() if not bool(covered[labels == c].any())]
    if not never or len(never) == len(labels.unique()):
        return ""
    return f"; none of class {', '.join(map(str, never[:5]))}"


CHECK = Check(
    id="uncovered-object",
    summary="objects that no training target covers",
    stage=Stage.LOSS,
    severity=Severity.WARNING,
    remedy="Choose the priors' sizes, aspect ratios and levels from the boxes of the data at the "
    "network's input size, and give every object at least its best prior.",
    find=find_uncovered_objects,
    explained_by=("unsound-sample",),
)
