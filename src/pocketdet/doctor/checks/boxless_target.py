"""A box loss that also takes rows without a box.

## What it finds
Outputs state a sample's boxes exactly; then the numbers of boxes are changed, once at the rows that
speak of an object, and once at the others, where an empty image says the same and decoding looks at
nothing. It compares how much the training loss minds.

## Why it costs AP
Nearly all rows are background. Where their boxes count, the network spends itself on learning the
constant that stands there, objects are a small part of the mean, and boxes stay where the priors
are.

## Usual causes
- The mask of positive rows is missing: `smooth_l1_loss(deltas, targets)` over all rows.
- A mean over all rows of a loss that is zero at most of them only as the targets are zero.
- Indices of positives and negatives joined before the boxes are gathered.

## When it is not a fault
A penalty that keeps all outputs small minds the others far less than a wrong box. What scores and
classes say of empty places is meant to count, and is not looked at. A warm-up that pulls all boxes
to their priors for the first images: allow the check, with that reason.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.box_values import BoxValues

MINDS = 0.1  # of what the same change costs at rows with a box
MINDS_MORE = 0.5


def find_boxless_targets(box_values: BoxValues) -> Iterator[Fault]:
    if box_values.costs_at_boxes <= 0:
        return
    share = box_values.costs_elsewhere / box_values.costs_at_boxes
    if share < MINDS:
        return
    yield Fault(
        where="",
        source=box_values.source,
        evidence=f"Boxes that are wrong at the rows that speak of objects cost the loss "
        f"{box_values.costs_at_boxes:.3g} more, and the same change at all other rows, "
        f"{box_values.share_elsewhere:.0%} of them, which say nothing of any object, costs "
        f"{box_values.costs_elsewhere:.3g}.",
        measured={
            "at_boxes": box_values.costs_at_boxes,
            "elsewhere": box_values.costs_elsewhere,
            "share_elsewhere": box_values.share_elsewhere,
        },
        severity=Severity.ERROR if share >= MINDS_MORE else Severity.WARNING,
    )


CHECK = Check(
    id="boxless-target",
    summary="a box loss that takes rows without a box",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Choose the positive rows first, `deltas[positive]` against `targets[positive]`, and "
    "divide by their number.",
    find=find_boxless_targets,
    explained_by=("unrewarded-truth", "loss-broadcasting", "unsound-sample"),
)
