"""Probabilities where logits are meant: a sigmoid or softmax of a sigmoid or softmax.

## What it finds
A softmax, a log-softmax, a sigmoid or a loss that takes logits, whose operand is already the
result of a sigmoid or a softmax; and a negative log-likelihood or KL divergence that takes
logarithms and is given probabilities.

## Why it costs AP
Logits between 0 and 1 can say little: the second softmax over 10 classes never gives more than
.23 to one of them, the second sigmoid never less than .5. The loss has a floor that
training cannot pass, the gradient is weak, and scores cannot be told apart.

## Usual causes
- The model ends in a softmax and the loss is `cross_entropy`, which has its own.
- The model ends in a sigmoid and the loss is `binary_cross_entropy_with_logits`, or decoding
  applies one more.
- `nll_loss` or `kl_div` on the result of `softmax` instead of `log_softmax`.

## When it is not a fault
`log_softmax` of `log_softmax` changes nothing, and is not reported. Probabilities that are scaled
or shifted before they are squashed again (a temperature) are no probabilities any more.
"""

from collections.abc import Iterator
import math

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.origin import makers

SQUASHING = frozenset({"_softmax", "sigmoid", "sigmoid_", "_safe_softmax", "hardsigmoid"})
TAKES_LOGITS = SQUASHING | {
    "_log_softmax",
    "log_sigmoid_forward",
    "binary_cross_entropy_with_logits",
}
TAKES_LOGARITHMS = frozenset({"nll_loss_forward", "nll_loss2d_forward"})


def find_squashed_twice(trace: Trace, training_trace: Trace | None = None) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for recorded in (training_trace, trace):
        for op in recorded.forward_ops if recorded else ():
            fault = _squashed(op) or _without_logarithm(op)
            if fault and (op.where, str(op.source)) not in seen:
                seen.add((op.where, str(op.source)))
                yield fault


def _squashed(op: Op) -> Fault | None:
    if op.name not in TAKES_LOGITS or not op.inputs:
        return None
    first = _all_made_by(makers(op.inputs[0]), SQUASHING)
    if first is None or _means_something_else(op, first):
        return None
    return _fault(op, first, _floor(op), "already between 0 and 1")


def _without_logarithm(op: Op) -> Fault | None:
    """Find probabilities given to what takes their logarithms."""
    takes = op.name in TAKES_LOGARITHMS
    operand = op.inputs[0] if takes and op.inputs else _kl_divergence_input(op)
    if operand is None:
        return None
    first = _all_made_by(makers(operand), SQUASHING)
    return _fault(op, first, "", "a probability, not its logarithm") if first else None


def _kl_divergence_input(op: Op) -> Value | None:
    """Recognise t·log t - t·input, as `kl_div` computes it; gives the input."""
    if op.name != "sub" or len(op.inputs) != 2:
        return None
    entropy, cross = (value.producer for value in op.inputs)
    if entropy is None or cross is None or entropy.name != "xlogy" or cross.name != "mul":
        return None
    if entropy.inputs[0] is not entropy.inputs[-1]:
        return None
    others = [value for value in cross.inputs if value is not entropy.inputs[0]]
    return others[0] if len(others) == 1 else None


def _all_made_by(ops: Iterator[Op], names: frozenset[str]) -> Op | None:
    found = list(ops)
    if not found or any(op.name not in names for op in found):
        return None
    return min(found, key=lambda op: op.index)


def _means_something_else(op: Op, first: Op) -> bool:
    """Leave a softmax over another axis than the first one's alone: two gates, not one twice."""
    is_softmax = "softmax" in op.name and "softmax" in first.name
    return is_softmax and op.where is not None and _axis_size(op) != _axis_size(first)


def _axis_size(op: Op) -> int:
    shape = op.inputs[0].shape
    return shape[int(op.argument("dim"))] if shape else 1


def _floor(op: Op) -> str:
    if op.name == "_log_softmax":
        classes = _axis_size(op)
        floor = math.log(math.e + classes - 1) - 1
        return f" With {classes} classes the loss can never fall below {floor:.2f}."
    if op.name.startswith("sigmoid"):
        return " The result can never leave .5 to .73."
    if op.name == "binary_cross_entropy_with_logits":
        return " The loss can never fall below .31 for a right answer, .69 for a right rejection."
    return ""


def _fault(op: Op, first: Op, consequence: str, what: str) -> Fault:
    in_loss = op.where is None
    decides = in_loss or "softmax" not in op.name or op.name == "_log_softmax"
    line = f" at {first.source}" if first.source else ""
    return Fault(
        where=first.where if in_loss and first.where is not None else (op.where or ""),
        source=first.source if in_loss and first.where is not None else op.source,
        evidence=f"`{op.name}`{_place(op)} takes what `{first.name}` of "
        f"`{first.where or 'the model'}`{line} gave, which is {what}.{consequence}",
        measured={"second": op.name, "first": first.name},
        severity=Severity.ERROR if decides else Severity.WARNING,
        at=first.index,
    )


def _place(op: Op) -> str:
    place = "in the loss" if op.where is None else f"in `{op.where or 'the model'}`"
    return f" {place} ({op.source})" if op.source else f" {place}"


CHECK = Check(
    id="squashed-twice",
    summary="probabilities where logits are meant",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Let the network give logits, and take the sigmoid or softmax once: inside the loss "
    "while training, and in decoding.",
    find=find_squashed_twice,
)
