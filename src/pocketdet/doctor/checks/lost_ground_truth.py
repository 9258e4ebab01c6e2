"""Ground truth that does not come back from encoding and decoding.

## What it finds
Each sample's boxes go through `encode`, `perfect` (the outputs that state exactly these targets)
and `decode`. It reports boxes that come back at another place or size, with another label, with a
low score, twice, or not at all, and which stage is to blame as far as that can be seen.

## Why it costs AP
The network can at best say what its targets say. What is lost on this way is lost to every
training, and nothing in the loss shows it.

## Usual causes
- Corners where centre and size are meant, or (x, y, w, h); x and y exchanged.
- Variances (0.1, 0.2) at one end only: centres are kept and sizes are wrong.
- Labels shifted by the background class at one end; the background's column read as a class.
- A resize or letterbox that is undone with the wrong scale, or twice.
- NMS across classes, a threshold above what the scores can reach, no NMS at all.

## When it is not a fault
Boxes of one class that overlap so much that NMS must take one, and boxes that no target covers,
are counted apart: the first are told as `info` as long as they touch, the second by
`uncovered-object`. Grids without offsets lose a fraction of a cell on purpose; what keeps an IoU of
.75 is a warning, not an error.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.labelled import Labelled
from pocketdet.doctor.observations.round_trip import (
    Fate,
    Returned,
    RoundTrip,
    allowed_error,
)
from pocketdet.doctor.pipeline import DetectionPipeline

LEAST_SHARE = 0.05  # of the boxes
CLOSE = 0.75  # IoU: AP at .5 survives, AP at .95 does not
UNSURE = 0.5  # a score for what is certain
TWICE = 0.2  # of the boxes
MANY_APART, MOST_APART = 0.1, 0.3  # of the boxes
ROOM = 0.5  # of a box's size, between it and any other, on one side


def find_lost_ground_truth(
    round_trip: RoundTrip, pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    if round_trip.failed is not None:
        yield _failure(round_trip)
        return
    returned = [r for r in round_trip.returned if r.fate is not Fate.UNTARGETED]
    if not returned:
        return
    astray = _astray(returned, {one.number: (one.width, one.height) for one in labelled})
    if astray:
        yield _fault(pipeline, astray, len(returned))
    yield from _crowded(pipeline, returned)
    yield from _said_badly(pipeline, returned, 0 if astray else round_trip.num_extra)


def _astray(
    returned: Sequence[Returned], sizes: dict[int, tuple[int, int]]
) -> list[tuple[list[Returned], str]]:
    """Give the boxes that did not come back as they went, by what became of them, in words."""
    found: list[tuple[list[Returned], str]] = []
    for fate, words in ((Fate.LOST, _lost), (Fate.RELABELLED, _relabelled), (Fate.MOVED, _moved)):
        some = [r for r in returned if r.fate is fate]
        if some and len(some) >= LEAST_SHARE * len(returned):
            found.append((some, words(some, sizes)))
    return sorted(found, key=lambda pair: -len(pair[0]))


def _failure(round_trip: RoundTrip) -> Fault:
    failure = round_trip.failed
    assert failure is not None
    return Fault(
        where="",
        source=failure.source,
        evidence=f"{failure}, on a sample's own boxes.",
        measured={"stage": failure.stage},
        remedy=f"Let `{failure.stage}` take what the stage before it gives, for every sample.",
    )


def _fault(
    pipeline: DetectionPipeline, astray: Sequence[tuple[list[Returned], str]], total: int
) -> Fault:
    parts = [f"{len(some)} {some[0].fate.value}{words}" for some, words in astray]
    is_close = all(
        some[0].fate is Fate.MOVED and sum(r.iou for r in some) / len(some) >= CLOSE
        for some, _ in astray
    )
    first = astray[0][0][0]
    return Fault(
        where="",
        source=stage_source(pipeline, "decode"),
        evidence=f"Of {total} boxes, on the way from `encode` to `decode`, {'; '.join(parts)}. One "
        f"is {_box(first.was_xyxy)} of class {first.label} in sample {first.sample}.",
        measured={some[0].fate.value: len(some) for some, _ in astray} | {"of": total},
        severity=Severity.WARNING if is_close else Severity.ERROR,
    )


def _relabelled(some: Sequence[Returned], _sizes: object) -> str:
    steps = {(r.said_label or 0) - r.label for r in some}
    pairs = sorted({(r.label, r.said_label) for r in some}, key=str)
    said = ", ".join(f"{label} as {said}" for label, said in pairs[:4])
    if len(steps) == 1 and len(pairs) > 1:
        return (
            f": every label comes back {steps.pop():+d} ({said}), as with a background class "
            "at one end only"
        )
    return f": classes come back as others ({said})"


def _moved(some: Sequence[Returned], _sizes: object) -> str:
    was = torch.stack([r.was_xyxy for r in some])
    said = torch.stack([r.said_xyxy for r in some if r.said_xyxy is not None])
    size, said_size = was[:, 2:] - was[:, :2], said[:, 2:] - said[:, :2]
    beside = ((said[:, :2] + said[:, 2:]) / 2 - (was[:, :2] + was[:, 2:]) / 2).median(0).values
    ratio = (said_size / size).median(0).values
    centre = f"centres {float(beside[0]):+.1f}, {float(beside[1]):+.1f} px".replace("-", "−")
    iou = sum(r.iou for r in some) / len(some)
    return (
        f", with an IoU of {iou:.2f}: {centre}, widths ×{float(ratio[0]):.2f}, heights "
        f"×{float(ratio[1]):.2f} (medians)"
    )


def _lost(some: Sequence[Returned], sizes: dict[int, tuple[int, int]]) -> str:
    said = [r for r in some if r.said_xyxy is not None]
    for words in _MISREADINGS:
        hits = sum(_is_misread(r, words, sizes[r.sample]) for r in said)
        if said and hits > len(said) / 2:
            return f": what comes back is {words}"
    if len(said) > len(some) / 2 and said[0].said_xyxy is not None:
        return f": the nearest answer is {_box(said[0].said_xyxy)}"
    return ", though a target is made for each: no detection of that class comes back"


_MISREADINGS = (
    "(cx, cy, w, h) in place of corners",
    "(x, y, w, h) in place of corners",
    "(y1, x1, y2, x2), x and y exchanged",
    "relative to the image in place of pixels",
)


def _is_misread(came: Returned, how: str, size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = came.was_xyxy.tolist()
    width, height = size
    readings = (
        [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
        [x1, y1, x2 - x1, y2 - y1],
        [y1, x1, y2, x2],
        [x1 / width, y1 / height, x2 / width, y2 / height],
    )
    reading = torch.tensor(readings[_MISREADINGS.index(how)], dtype=torch.float64)
    assert came.said_xyxy is not None
    error = 0.05 if "relative" in how else allowed_error(came.was_xyxy)
    return float((came.said_xyxy - reading).abs().max()) <= error


def _crowded(pipeline: DetectionPipeline, returned: Sequence[Returned]) -> Iterator[Fault]:
    crowded = [r for r in returned if r.fate is Fate.CROWDED]
    apart = [r for r in crowded if _stands_apart(r, returned)]
    if apart and len(apart) >= MANY_APART * len(returned):
        yield Fault(
            where="",
            source=stage_source(pipeline, "decode"),
            evidence=f"{len(apart)} of {len(returned)} boxes come back alone and not beside others "
            "of their image, which they do not touch: one is "
            f"{_box(apart[0].was_xyxy)} in sample {apart[0].sample}.",
            measured={"boxes": len(apart), "of": len(returned)},
            severity=Severity.ERROR
            if len(apart) >= MOST_APART * len(returned)
            else Severity.WARNING,
            remedy="Let suppression compare boxes by their overlap, in one unit, and look at how "
            "many detections of an image are kept.",
        )
        return
    if crowded and len(crowded) >= LEAST_SHARE * len(returned):
        yield Fault(
            where="",
            source=stage_source(pipeline, "decode"),
            evidence=f"{len(crowded)} of {len(returned)} boxes come back alone and not together "
            "with their neighbours: one target has room for one of them, or NMS takes them for "
            "one object.",
            measured={"boxes": len(crowded), "of": len(returned)},
            severity=Severity.INFO,
            remedy="Raise the IoU of NMS, or assign more priors, if such crowds matter.",
        )


def _stands_apart(came: Returned, returned: Sequence[Returned]) -> bool:
    """Say whether there is a box's own size of room to every other box of the image."""
    others = [r.was_xyxy for r in returned if r.sample == came.sample and r.box != came.box]
    low, high = came.was_xyxy[:2], came.was_xyxy[2:]
    return all(
        bool((torch.maximum(other[:2] - high, low - other[2:]) > ROOM * (high - low)).any())
        for other in others
    )


def _said_badly(
    pipeline: DetectionPipeline, returned: Sequence[Returned], num_extra: int
) -> Iterator[Fault]:
    scores = [r.score for r in returned if r.fate is Fate.SAME]
    source = stage_source(pipeline, "decode")
    if scores and sorted(scores)[len(scores) // 2] < UNSURE:
        yield Fault(
            where="",
            source=source,
            evidence=f"Outputs that state the targets exactly score "
            f"{sorted(scores)[len(scores) // 2]:.2f} (the median of {len(scores)} boxes).",
            measured={"score": sorted(scores)[len(scores) // 2]},
            severity=Severity.WARNING,
            remedy="Squash logits once, by the function that the loss assumes, and leave other "
            "factors out of the score.",
        )
    if num_extra > TWICE * len(returned):
        yield Fault(
            where="",
            source=source,
            evidence=f"{num_extra} confident detections come back besides the {len(returned)} "
            "boxes: at no box, or several at one.",
            measured={"extra": num_extra, "of": len(returned)},
            severity=Severity.WARNING,
            remedy="Let `decode` suppress all but the best of detections that overlap, class by "
            "class, and leave the background out.",
        )


def _box(box: Tensor) -> str:
    numbers = [f"{v:.3g}" if abs(v) < 2 else f"{v:.0f}" for v in box.tolist()]
    return f"({', '.join(numbers)})"


CHECK = Check(
    id="lost-ground-truth",
    summary="ground truth that does not come back from encoding and decoding",
    stage=Stage.ROUND_TRIP,
    severity=Severity.ERROR,
    remedy="Let `encode` and `decode` share one box coder, one set of priors in one order, one box "
    "format and one class list, with or without background at both ends.",
    find=find_lost_ground_truth,
    explained_by=("unsound-sample",),
)
