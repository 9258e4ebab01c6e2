"""Samples whose boxes or labels cannot be right.

## What it finds
Boxes that are empty or turned over, that lie outside of their image, that would fit it if they
were read as (x, y, w, h) or as shares of the image; labels outside of `num_classes`; as many labels
as boxes.

## Why it costs AP
Everything after it works on wrong objects. A box that is turned over has no area and matches
nothing; a label out of range trains the background or the neighbour's class.

## Usual causes
- (x, y, width, height), as COCO has them, taken for corners.
- Relative coordinates, as YOLO has them, taken for pixels.
- Labels that begin at 1 in a list that begins at 0, or the category ids of the file.
- Boxes of the image before it was resized.

## When it is not a fault
A box that hangs over the border by less than a pixel. Boxes that hang over a little more are told
as `info`: most matching takes them as they are.
"""

from collections import Counter
from collections.abc import Iterator

from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.labelled import Labelled, read_samples
from pocketdet.doctor.pipeline import DetectionPipeline

MANY = 0.05  # of the boxes
RELATIVE = 2.0  # pixels: a box this small in every number is given in shares of the image


def find_unsound_samples(pipeline: DetectionPipeline) -> Iterator[Fault]:
    try:
        samples = read_samples(pipeline)
    except StageFailed as failure:
        yield Fault(where="", source=failure.source, evidence=f"{failure}.")
        return
    yield from _unpaired(samples)
    whole = [one for one in samples if len(one.labels) == len(one.boxes_xyxy)]
    total = sum(len(one.labels) for one in whole)
    kinds: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for one in whole:
        for box, label in zip(one.boxes_xyxy, one.labels.tolist(), strict=True):
            kind = _kind(box, label, one, pipeline.num_classes)
            if kind:
                kinds[kind] += 1
                examples.setdefault(kind, f"{_box(box)} of class {label} in sample {one.number}")
    for kind, count in kinds.items():
        yield _fault(kind, count, total, examples[kind], _reading(kind, whole))


def _unpaired(samples: tuple[Labelled, ...]) -> Iterator[Fault]:
    for one in samples:
        if len(one.labels) != len(one.boxes_xyxy):
            yield Fault(
                where="",
                evidence=f"Sample {one.number} has {len(one.boxes_xyxy)} boxes and "
                f"{len(one.labels)} labels.",
            )
            return


def _kind(box: Tensor, label: int, one: Labelled, num_classes: int) -> str:
    x1, y1, x2, y2 = box.tolist()
    if not 0 <= label < num_classes:
        return f"have a label outside of 0 to {num_classes - 1}"
    if not bool(box.isfinite().all()):
        return "are not finite"
    if x2 <= x1 or y2 <= y1:
        return "end before they begin, or are empty"
    if x1 >= one.width or y1 >= one.height or x2 <= 0 or y2 <= 0:
        return "lie outside of their image"
    if max(-x1, -y1, x2 - one.width, y2 - one.height) > 1:
        return "hang over the border of their image"
    if float(box.abs().max()) <= RELATIVE and min(one.height, one.width) > 8 * RELATIVE:
        return "are smaller than two pixels, like shares of the image"
    return ""


def _reading(kind: str, samples: list[Labelled]) -> str:
    if "label" in kind or "finite" in kind or "shares" in kind:
        return ""
    every = [(box, one) for one in samples for box in one.boxes_xyxy]
    fitting = sum(_fits_as_size(box, one) for box, one in every)
    if every and fitting == len(every) and len(every) > 1:
        return " All boxes fit their image if they are read as (x, y, width, height)."
    return ""


def _fits_as_size(box: Tensor, one: Labelled) -> bool:
    x, y, w, h = box.tolist()
    return (
        x >= -1
        and y >= -1
        and w > 0
        and h > 0
        and x + w <= one.width + 1
        and y + h <= one.height + 1
    )


def _fault(kind: str, count: int, total: int, example: str, reading: str) -> Fault:
    share = count / total
    mild = "hang over" in kind and not reading
    grave = Severity.ERROR if share >= MANY else Severity.WARNING
    return Fault(
        where="",
        evidence=f"{count} of {total} boxes {kind}, such as {example}.{reading}",
        measured={"boxes": count, "of": total},
        severity=Severity.INFO if mild else grave,
    )


def _box(box: Tensor) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in box.tolist()) + ")"


CHECK = Check(
    id="unsound-sample",
    summary="samples whose boxes or labels cannot be right",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Convert boxes to corners in pixels of the image beside them, and labels to 0 up to "
    "`num_classes` - 1, where the data is read.",
    find=find_unsound_samples,
)
