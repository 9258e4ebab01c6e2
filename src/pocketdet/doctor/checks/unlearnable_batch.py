"""A network that cannot learn one batch by heart.

## What it finds
A copy is trained on the given batch alone, with several learning rates of Adam, for as many steps
as some seconds allow; the loss does not fall, or hardly.

## Why it costs AP
What cannot learn a few images cannot learn a data set. It is the last question because it needs no
theory of the fault: it is also asked of those that no other check knows.

## Usual causes
- A fault that an earlier check names: mend that first.
- Features that a norm, a saturated gate or a dead layer makes the same for every input.
- Targets that do not belong to the images.
- A loss that is dominated by a term with a floor.

## When it is not a fault
A loss that starts at its floor (a pretrained model), or whose floor is high (smoothed labels, soft
targets): the check warns only where less than a tenth of the loss could be taken away, and is
silent where nearly every step took some: the rest may be a constant.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.overfitting import (
    NOTHING_LEARNT,
    STEPS_TO_WARN,
    Overfitting,
)

LEFT_OF_HARDLY_ANYTHING = 0.9
LOW = 1e-4  # a loss that starts there has nothing to learn
STANDS_STILL = 0.01  # of the change of the part that changes most


def find_unlearnable_batches(overfitting: Overfitting) -> Iterator[Fault]:
    left, steps = overfitting.left, overfitting.num_steps
    if overfitting.first <= LOW or overfitting.falls_steadily:
        return
    is_error = left > NOTHING_LEARNT
    if not is_error and (left <= LEFT_OF_HARDLY_ANYTHING or steps < STEPS_TO_WARN):
        return
    most = max(overfitting.changes.values())
    still = [name for name, change in overfitting.changes.items() if change < STANDS_STILL * most]
    where = f" It changes everything but {', '.join(f'`{n}`' for n in still)}." if still else ""
    yield Fault(
        where=still[-1] if still else "",
        evidence=f"{steps} steps on the given batch alone (Adam, rate {overfitting.rate:g}, the "
        f"best of several) took the loss from {overfitting.first:.4g} to {overfitting.best:.4g}: "
        f"{left:.0%} of it is left.{where}",
        measured={"first": overfitting.first, "best": overfitting.best, "steps": steps},
        severity=Severity.ERROR if is_error else Severity.WARNING,
    )


CHECK = Check(
    id="unlearnable-batch",
    summary="a single batch that cannot be learnt by heart",
    stage=Stage.OVERFIT,
    severity=Severity.WARNING,
    remedy="Mend what earlier checks found; then halve the network: feed the loss with a free "
    "tensor in place of the head's output, and with the head on free features, to see which part "
    "cannot learn.",
    find=find_unlearnable_batches,
    explained_by=("unreached-parameter", "unregistered-module", "optimizer-settings"),
)
