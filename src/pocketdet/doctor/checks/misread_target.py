"""A training loss that asks for the samples' boxes or classes as something else than they are.

## What it finds
Where a loss is not lowest for outputs that state the samples of its images, by `encode` and
`perfect`, such are tried that state them in another reading: the class before or after, corners
taken for centre and size, x and y exchanged, a mirror image. It reports the reading in which each
image's own sample, and no other, is what the loss asks for; and a loss that is lower for one class
said at every row than for nothing said anywhere.

## Why it costs AP
Training teaches exactly what the loss asks for. What `decode` makes of it afterwards lies beside
the objects, or has another object's name.

## Usual causes
- `(x1, y1, x2, y2)` where the loss wants `(cx, cy, w, h)`, or the other way round.
- Labels from 1 in the targets and from 0 in the decoder; the background's column cut off at the
  wrong end of a one-hot table.
- Images that are flipped where the loss is computed, without their boxes.

## When it is not a fault
A loss whose targets are not the samples' boxes is not judged, as no reading of them is what it asks
for.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.misreadings import Misreadings

LOWER = 0.5  # of the loss of silence: a class everywhere costs far less than that


def find_misread_targets(misreadings: Misreadings) -> Iterator[Fault]:
    found = misreadings
    if found.words is not None and found.cost < min(found.silent, found.truth):
        yield Fault(
            where="",
            source=found.classes_at if "class" in found.words else None,
            evidence=f"The loss of image {', '.join(map(str, found.images))} of the batch asks "
            f"for its sample's objects {found.words}: outputs that state them so cost "
            f"{found.cost:.4g}, as they are {found.truth:.4g}, and outputs that say nothing "
            f"{found.silent:.4g}.",
            measured={"reading": found.cost, "truth": found.truth, "nothing": found.silent},
        )
    label = min(found.everywhere, key=lambda n: found.everywhere[n], default=None)
    if label is not None and found.everywhere[label] < LOWER * found.silent:
        yield Fault(
            where="",
            source=found.classes_at,
            evidence=f"Outputs that say class {label} at every row cost "
            f"{found.everywhere[label]:.4g}, and outputs that say nothing {found.silent:.4g}: the "
            "loss takes rows without an object for that class.",
            measured={"everywhere": found.everywhere[label], "nothing": found.silent},
            remedy="Look at the targets of a row without an object: their column must be the "
            "background's, or all of them zero.",
        )


CHECK = Check(
    id="misread-target",
    summary="a loss that reads boxes or classes as something else",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Give the loss's targets the format that its code expects, and state it in their names "
    "(`boxes_xyxy`, `boxes_cxcywh`); mirror boxes together with the pixels.",
    find=find_misread_targets,
    explained_by=("unsound-sample",),
)
