"""A classifier that is sure, and wrong, before the first step.

## What it finds
A cross-entropy at the start far above ln(classes), which is what a network says that knows
nothing yet. And, for any loss of logits, such as a focal one: a loss that is many times lower when
the heads say one constant everywhere (a chance of .5, .1, .01 or .001; all classes alike) in place
of what they say.

## Why it costs AP
The first epoch is spent on unlearning random certainty, with gradients large enough to push other
parts where they do not come back from: thousands of empty places outweigh a few objects. Often it
shows something else: inputs between 0 and 255, a norm left out, an initialisation meant for
another activation.

## Usual causes
- A sigmoid head without its prior bias, -log((1 - p) / p) with p = .01, which was lost when the
  head was swapped or initialised again.
- Pictures that were not normalised.
- A predicting layer with weights much too large, or fed by features that grew from block to block.

## When it is not a fault
Weights that were trained before, for other classes: the loss falls in a few steps. That is why
this is a warning. A head without a prior whose loss is a mean over few places starts at most
twice too high, and is not told.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.constant_logits import ConstantLogits
from pocketdet.doctor.observations.loss_start import LossTerm

FACTOR, MARGIN = 2.5, 1.0
"""Kaiming's start gives logits of spread 1 and adds 0.5 to ln(classes); random targets add more."""
TIMES = 8.0  # above the best constant; sound starts are within twice of it


def find_overconfident_starts(
    loss_start: tuple[LossTerm, ...] | None = None,
    constant_logits: tuple[ConstantLogits, ...] | None = None,
) -> Iterator[Fault]:
    if loss_start is None and constant_logits is None:
        raise NotObservable("the loss takes no logits that the network gives")
    faults = list(_above_chance(loss_start or ()))
    yield from faults
    for one in constant_logits or () if not faults else ():
        if 0 < TIMES * one.best < one.loss:
            yield _above_a_constant(one)


def _above_a_constant(one: ConstantLogits) -> Fault:
    head = one.heads[0]
    if one.chance is None:
        instead = "all logits are 0"
    else:
        instead = f"every sigmoid says {one.chance:g}, where it now says {one.said:.2g} on average"
    return Fault(
        where=head.where or "",
        source=head.source,
        evidence=f"The loss starts at {one.loss:.4g}, and would at {one.best:.3g}, "
        f"{one.loss / one.best:.0f} times lower, if {instead}.",
        measured={"start": one.loss, "constant": one.best, "said": one.said},
        at=head.index,
    )


def _above_chance(terms: tuple[LossTerm, ...]) -> Iterator[Fault]:
    for term in terms:
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
    summary="a loss far above that of a constant answer before the first step",
    stage=Stage.LOSS,
    severity=Severity.WARNING,
    remedy="Start the predicting layer near zero (a spread of .01) with the bias of a sigmoid at "
    "-log((1 - p) / p), p = .01; normalise the input, and look at the scale of the features before "
    "it.",
    find=find_overconfident_starts,
)
