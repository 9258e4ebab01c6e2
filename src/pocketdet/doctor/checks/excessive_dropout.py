"""Dropout that keeps less than a quarter.

## What it finds
Operators of a training pass that zero more than three quarters of their features at random.

## Why it costs AP
What is left is multiplied by more than four: training sees noise, and learns slowly or not at all.

## Usual causes
- The chance to keep, as TensorFlow 1 takes it, given to torch, which takes the chance to drop:
  `nn.Dropout(0.9)`.

## When it is not a fault
Masks that pretraining draws otherwise than by dropout are not looked at.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.training_pass import TrainingPass
from pocketdet.doctor.trace import Op
from pocketdet.doctor.trace.between import follow

MOST = 0.75  # of the features; published networks drop .1 to .5, a few .7


def find_excessive_dropouts(training_pass: TrainingPass) -> Iterator[Fault]:
    seen: set[str] = set()
    for op in training_pass.trace.forward_ops:
        dropped = _share_dropped(op)
        if dropped is None or dropped <= MOST or op.where is None or str(op.source) in seen:
            continue
        seen.add(str(op.source))
        yield Fault(
            where=op.where,
            source=op.source,
            evidence=f"In training {100 * dropped:.3g}% of these features are dropped, and "
            f"others multiplied by {1 / max(1 - dropped, 1e-3):.0f}. Was the chance to keep meant?",
            measured={"dropped": dropped},
            at=op.index,
        )


def _share_dropped(op: Op) -> float | None:
    if op.name == "native_dropout":
        return float(op.argument("p"))
    if op.name != "bernoulli_" or len(op.args) < 2 or not isinstance(op.args[1], int | float):
        return None
    kept = float(op.args[1])
    scales = [r for r in follow(op.outputs[0], ()) if r.name in ("div_", "div", "mul", "mul_")]
    return 1 - kept if scales else None


CHECK = Check(
    id="excessive-dropout",
    summary="dropout that keeps less than a quarter",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Give torch the chance to drop: `nn.Dropout(0.1)` keeps nine in ten.",
    find=find_excessive_dropouts,
)
