"""An augmentation that moves the image and not its boxes, or the other way round.

## What it finds
A marker is painted into a box of a sample, on a plain image, and found again after `transform`, in
several draws; then it is compared with the boxes and labels that `transform` gives.

## Why it costs AP
A part of all training samples has its boxes where nothing is. The network learns from them that an
object may be anywhere, and AP falls by about the share of such samples.

## Usual causes
- A random flip that is drawn once for the image and once for the boxes.
- `x1` and `x2` not exchanged after a flip; `width - 1 - x` for corners that are no pixel indices.
- A crop's or padding's offset that is added where it must be taken off.
- A resize whose scales for x and y are exchanged.

## When it is not a fault
Markers that are cut off by a crop are left out, since their boxes may be dropped. Warps and
rotations whose box is the hull of the turned one overlap by less; what overlaps by half is clear.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed, pairwise_iou, stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.followed_boxes import Followed, followed_boxes
from pocketdet.doctor.observations.labelled import Labelled
from pocketdet.doctor.pipeline import DetectionPipeline

OVERLAPS = 0.5  # IoU of marker and box
LEAST_SHARE = 0.1  # of the draws
MANY = 0.25  # of the draws
LEAST_DRAWS = 3


def find_left_behind_boxes(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    try:
        followed = followed_boxes(pipeline, labelled)
    except StageFailed as failure:
        yield Fault(where="", source=failure.source, evidence=f"{failure}, on a sample's image.")
        return
    left = [f for f in followed if f.iou < OVERLAPS]
    if len(left) >= max(LEAST_SHARE * len(followed), LEAST_DRAWS):
        yield _fault(pipeline, left, len(followed))
        return
    kept = [f for f in followed if f.best is not None and f.iou >= OVERLAPS]
    wrong = [f for f in kept if not _has_label(f)]
    if len(wrong) >= max(LEAST_SHARE * len(followed), LEAST_DRAWS):
        yield Fault(
            where="",
            source=stage_source(pipeline, "transform"),
            evidence=f"In {len(wrong)} of {len(followed)} draws of `transform` the box at the "
            f"marker has another label: class {wrong[0].label} of sample {wrong[0].sample} became "
            f"{_label(wrong[0])}.",
            measured={"draws": len(wrong), "of": len(followed)},
            remedy="Choose boxes and labels by the same mask.",
        )


def _has_label(followed: Followed) -> bool:
    """Say whether some box that overlaps the marker as well as the best one has the label."""
    iou = pairwise_iou(followed.marker_xyxy[None], followed.boxes_xyxy)[0]
    count = min(len(iou), len(followed.labels))
    near = iou[:count] >= OVERLAPS
    return bool((followed.labels[:count][near] == followed.label).any())


def _label(followed: Followed) -> str:
    assert followed.best is not None
    if followed.best >= len(followed.labels):
        return "a box without a label"
    return f"class {int(followed.labels[followed.best])}"


def _fault(pipeline: DetectionPipeline, left: Sequence[Followed], total: int) -> Fault:
    first = left[0]
    nearest = (
        f"the nearest box is {_box(first.boxes_xyxy[first.best])}"
        if first.best is not None
        else "there is no box left"
    )
    return Fault(
        where="",
        source=stage_source(pipeline, "transform"),
        evidence=f"In {len(left)} of {total} draws of `transform` no box lies where its pixels "
        f"went: those of {_box(first.was_xyxy)} in sample {first.sample} went to "
        f"{_box(first.marker_xyxy)}, and {nearest}.{_explained(left)}",
        measured={"draws": len(left), "of": total},
        severity=Severity.ERROR if len(left) >= MANY * total else Severity.WARNING,
    )


def _explained(left: Sequence[Followed]) -> str:
    words = {
        " The boxes are the mirror image of where the pixels are.": _mirrored,
        " The boxes are upside down to where the pixels are.": _upside_down,
        " The boxes have x and y exchanged.": _exchanged,
        " The boxes stay where they were.": _stayed,
    }
    for explanation, change in words.items():
        hits = sum(
            bool((pairwise_iou(f.marker_xyxy[None], change(f)) > OVERLAPS).any()) for f in left
        )
        if hits > 0.6 * len(left):
            return explanation
    return ""


def _mirrored(followed: Followed) -> Tensor:
    x1, y1, x2, y2 = followed.boxes_xyxy.unbind(1)
    low, high = followed.width - torch.maximum(x1, x2), followed.width - torch.minimum(x1, x2)
    return torch.stack([low, y1, high, y2], dim=1)


def _upside_down(followed: Followed) -> Tensor:
    x1, y1, x2, y2 = followed.boxes_xyxy.unbind(1)
    low, high = followed.height - torch.maximum(y1, y2), followed.height - torch.minimum(y1, y2)
    return torch.stack([x1, low, x2, high], dim=1)


def _exchanged(followed: Followed) -> Tensor:
    return followed.boxes_xyxy[:, [1, 0, 3, 2]]


def _stayed(followed: Followed) -> Tensor:
    is_there = bool((followed.boxes_xyxy - followed.was_xyxy).abs().amax(1).lt(1).any())
    return followed.marker_xyxy[None] if is_there else followed.boxes_xyxy


def _box(box: Tensor) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in box.tolist()) + ")"


CHECK = Check(
    id="left-behind-box",
    summary="an augmentation that does not move image and boxes together",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Draw each random decision once, apply it to the pixels and to the boxes, and test the "
    "augmentation by a painted box as is done here.",
    find=find_left_behind_boxes,
    explained_by=("unsound-sample",),
)
