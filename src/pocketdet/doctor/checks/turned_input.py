"""A preprocessing that turns pictures over, or does something else each time.

## What it finds
Markers are painted into a sample's picture and found again after `preprocess`: what was left must
be left of what was right, and what was above must be above. And the same picture must become the
same input twice.

## Why it costs AP
The network sees another scene than the boxes describe, in training, in evaluation, or in both; the
round trip of ground truth does not see it, since it never looks at pixels.

## Usual causes
- A flip of the augmentation that is left in the preprocessing of evaluation.
- Height and width exchanged by a transpose: (h, w, c) read as (w, h, c), `permute(2, 1, 0)`.
- Random jitter, crops or noise in what evaluation uses too.

## When it is not a fault
Resizing, padding and cropping keep the order of places and are clear. A transposed layout that
`encode` and `decode` know of: allow the check, with that reason.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed, stage, stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.followed_boxes import found_marker, painted
from pocketdet.doctor.observations.labelled import Labelled
from pocketdet.doctor.pipeline import DetectionPipeline

PLACES = ((0.3, 0.3), (0.7, 0.35), (0.35, 0.7), (0.65, 0.6))  # of the picture's sides
SIDE = 0.16  # of the picture's sides
CLEAR = 0.1  # of the input's side, by which markers must be apart to be compared


def find_turned_inputs(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    preprocess = stage(pipeline, "preprocess")
    source = stage_source(pipeline, "preprocess")
    one = labelled[0]
    try:
        first, again = (preprocess(one.sample.image.clone()) for _ in range(2))
        places = [_place_after(pipeline, one, place) for place in PLACES]
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    if isinstance(first, Tensor) and first.shape == again.shape and not torch.equal(first, again):
        yield Fault(
            where="",
            source=source,
            evidence="`preprocess` makes another input of the same picture each time.",
            severity=Severity.WARNING,
            remedy="Keep random augmentation in `transform`, and out of what evaluation uses.",
        )
    seen = [(was, now) for was, now in zip(PLACES, places, strict=True) if now is not None]
    if len(seen) < len(PLACES) - 1:
        raise NotObservable("markers cannot be found again after `preprocess`")
    words = _turned(seen)
    if words:
        was, now = seen[0]
        yield Fault(
            where="",
            source=source,
            evidence=f"`preprocess` turns pictures: {words}. A marker at ({was[0]:.0%}, "
            f"{was[1]:.0%}) of the picture comes out at ({now[0]:.0%}, {now[1]:.0%}).",
        )


Place = tuple[float, float]


def _place_after(pipeline: DetectionPipeline, one: Labelled, place: Place) -> Place | None:
    """Give where a marker comes out, in shares of the input's width and height."""
    size = torch.tensor([one.width, one.height], dtype=torch.float64)
    middle, half = torch.tensor(place) * size, SIDE / 2 * size
    marked = painted(one, torch.cat([middle - half, middle + half]))
    after = stage(pipeline, "preprocess")(marked.image)
    image = after[0] if isinstance(after, Tensor) and after.ndim == 4 else after
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise NotObservable("`preprocess` gives no picture")
    found = found_marker(image.detach().double().cpu())
    if found is None:
        return None
    x1, y1, x2, y2 = found.tolist()
    return (x1 + x2) / 2 / image.shape[-1], (y1 + y2) / 2 / image.shape[-2]


def _turned(seen: list[tuple[Place, Place]]) -> str:
    """Say how the order of places changed, "" where it did not."""
    kept = [0.0, 0.0]
    crossed = [0.0, 0.0]
    for n, (was, now) in enumerate(seen):
        for other_was, other_now in seen[:n]:
            before = [a - b for a, b in zip(was, other_was, strict=True)]
            after = [a - b for a, b in zip(now, other_now, strict=True)]
            for axis in (0, 1):
                kept[axis] += before[axis] * after[axis]
                crossed[axis] += before[1 - axis] * after[axis]
    if min(map(abs, crossed)) > max(map(abs, kept)):
        return "x and y are exchanged"
    names = [("left and right", 0), ("above and below", 1)]
    turned = [name for name, axis in names if kept[axis] < -(CLEAR**2)]
    return f"{' and '.join(turned)} are exchanged" if turned else ""


CHECK = Check(
    id="turned-input",
    summary="a preprocessing that turns pictures over",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Let `preprocess` change values and size only, the same way each time; flips belong "
    "into `transform`, which moves the boxes too.",
    find=find_turned_inputs,
)
