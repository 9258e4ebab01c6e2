"""A classifier that is sure, and wrong, before the first step.

## What it finds
A cross-entropy at the start far above ln(classes), which is what a network says that knows
nothing yet.

## Why it costs AP
The first epoch is spent on unlearning random certainty, with gradients large enough to push other
parts where they do not come back from. Often it shows something else: inputs between 0 and 255, a
norm left out, an initialisation meant for another activation.

## Usual causes
- Pictures that were not normalised.
- A predicting layer with weights much too large, or fed by features that grew from block to block.
- A bias meant for another number of classes.

## When it is not a fault
Weights that were trained before, for other classes: the loss falls in a few steps. That is why
this is a warning.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.loss_start import LossTerm

FACTOR, MARGIN = 2.5, 1.0
"""Kaiming's start gives logits of spread 1 and adds 0.5 to ln(classes); random targets add more."""


def find_overconfident_starts(loss_start: tuple[LossTerm, ...]) -> Iterator[Fault]:
    for term in loss_start:
        if term.num_classes < 2 or not term.measured > FACTOR * term.uniform + MARGIN:
            continue
        yield Fault(
            where=term.op.where or "",
            source=term.op.source,
            evidence=f"The cross-entropy over {term.num_classes} classes starts at "
            f"{term.measured:.3g}, where a network that knows nothing has "
            f"{term.uniform:.3g}; the logits spread by {term.spread:.3g}.",
            measured={"start": term.measured, "uniform": term.uniform, "spread": term.spread},
            at=term.op.index,
        )


CHECK = Check(
    id="overconfident-start",
    summary="a cross-entropy far above chance before the first step",
    stage=Stage.LOSS,
    severity=Severity.WARNING,
    remedy="Start the predicting layer near zero (a spread of .01), normalise the input, and look "
    "at the scale of the features before it.",
    find=find_overconfident_starts,
)
