"""A loss taken apart into the terms that are added up in it, with what each of them adds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.trace import Op, Run, Trace, lockstep
from pocketdet.doctor.trace.graph import Value

ADDING = ("add", "add_", "sub", "sub_", "rsub")
JOINING = ("stack", "cat", "sum", "mean")
SCALING = ("mul", "mul_", "div", "div_")
LOGARITHMS = (
    *("log", "log2", "log1p", "xlogy", "_log_softmax", "log_sigmoid_forward", "softplus"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "logsumexp", "logaddexp"),
)
PASSING = ("view", "squeeze", "unsqueeze", "_to_copy", "clone", "alias", "reshape", "expand")


@dataclass(frozen=True, kw_only=True, eq=False)
class Share:
    """What one term adds to a loss.

    - `source`: its line; `op`: the operator that gives it;
    - `is_of_logarithms`: whether a logarithm of the outputs is in it, so that it may have a floor.
    """

    source: SourceLine | None
    op: str
    adds: float
    is_of_logarithms: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class LossSum:
    """One value of a loss and its terms, those that depend on the outputs."""

    total: float
    shares: tuple[Share, ...]


def loss_sums(answered_loss: AnsweredLoss, answers: Sequence[Any]) -> list[LossSum]:
    """Record the loss of the first outputs, run the record on all of them, and take it apart.

    Where the others take another path through the loss, each is recorded by itself, and they are
    only comparable where they have as many terms.
    """
    try:
        return _side_by_side(answered_loss.recorded(answers[0]), answers)
    except (RuntimeError, KeyError, IndexError):
        pass
    try:
        alone = [_side_by_side(answered_loss.recorded(one), [one])[0] for one in answers]
    except (RuntimeError, KeyError, IndexError) as error:
        raise NotObservable("the loss cannot be replayed") from error
    if len({len(one.shares) for one in alone}) > 1:
        raise NotObservable("the loss has other terms for other outputs")
    return alone


def _side_by_side(trace: Trace, answers: Sequence[Any]) -> list[LossSum]:
    runs = [Run(trace, inputs=_inputs(trace, one)) for one in answers]
    torch.manual_seed(0)
    numbers = _single_numbers(trace, runs)
    (loss,) = trace.outputs.values()
    after = trace.follows_from(list(trace.inputs.values()))
    logarithms = [v for op in trace.named(*LOGARITHMS) if op.index in after for v in op.outputs]
    of_logarithms = trace.follows_from(logarithms)
    of_logarithms |= {v.producer.index for v in logarithms if v.producer is not None}
    return [
        LossSum(
            total=values[loss.slot],
            shares=tuple(
                Share(
                    source=op.source,
                    op=op.name,
                    adds=adds,
                    is_of_logarithms=op.index in of_logarithms,
                )
                for op, adds in _terms(loss, 1.0, values)
                if op.index in after
            ),
        )
        for values in numbers
    ]


def _inputs(trace: Trace, outputs: Any) -> dict[int, Tensor]:
    given = dict(tensors_in(outputs))
    return {value.slot: given[path] for path, value in trace.inputs.items()}


def _single_numbers(trace: Trace, runs: list[Run]) -> list[dict[int, float]]:
    """Give every value of one number, by slot, in each run."""
    found: list[dict[int, float]] = [
        {slot: float(t) for slot, t in run.tensors.items() if t.numel() == 1} for run in runs
    ]
    for op, results in lockstep(trace, runs):
        for values, result in zip(found, results, strict=True):
            for value, tensor in zip(op.outputs, result, strict=False):
                if tensor.numel() == 1 and not tensor.is_complex():
                    values[value.slot] = float(tensor)
    return found


def _terms(value: Value, factor: float, values: dict[int, float]) -> Iterator[tuple[Op, float]]:
    op = value.producer
    if op is None:
        return
    parts = list(_parts(op, values)) if value.numel == 1 else []
    if parts and all(part.slot in values and part.numel == 1 for part, _ in parts):
        for part, times in parts:
            yield from _terms(part, factor * times, values)
    else:
        yield op, factor * values.get(value.slot, 0.0)


Parts = Iterator[tuple[Value, float]]


def _parts(op: Op, values: dict[int, float]) -> Parts:
    """Give the numbers that a number is a sum of, each with its factor; none of another kind."""
    if op.name in (*PASSING, "neg"):
        yield op.inputs[0], -1.0 if op.name == "neg" else 1.0
    elif op.name in JOINING:
        yield from _joined(op)
    elif op.name in ADDING:
        yield from _added(op)
    elif op.name in SCALING:
        yield from _scaled(op, values)


def _joined(op: Op) -> Parts:
    first = op.inputs[0]
    stacked = first.producer
    if op.name in ("stack", "cat"):
        yield from ((part, 1.0) for part in op.inputs)
    elif first.numel == 1:
        yield first, 1.0
    elif stacked is not None and stacked.name in ("stack", "cat"):
        each = 1.0 if op.name == "sum" else 1.0 / first.numel
        yield from ((part, each) for part in stacked.inputs)


def _added(op: Op) -> Parts:
    if len(op.inputs) == 1:
        yield op.inputs[0], -1.0 if op.name == "rsub" else 1.0
        return
    first, second = op.inputs
    alpha = float(op.argument("alpha"))
    yield first, -alpha if op.name == "rsub" else 1.0
    yield second, {"add": alpha, "add_": alpha, "rsub": 1.0}.get(op.name, -alpha)


def _scaled(op: Op, values: dict[int, float]) -> Parts:
    first = op.inputs[0]
    if len(op.inputs) == 1:
        other = next((a for a in op.args if isinstance(a, int | float)), 1.0)
        yield first, (1 / other if op.name.startswith("div") else float(other))
        return
    second = op.inputs[1]
    if op.name.startswith("div"):
        divisor = values.get(second.slot, 0.0)
        if divisor:
            yield first, 1 / divisor
    elif second.is_float and second.producer is not None and first.producer is None:
        yield second, values.get(first.slot, 1.0)
    else:
        yield first, values.get(second.slot, 1.0)
