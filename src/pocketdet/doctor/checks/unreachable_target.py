"""Targets that an output can never reach, because of its last activation.

## What it finds
A loss that compares an output with targets where a part of the targets lies outside of what the
output's last operator can give: negative offsets behind a ReLU or softplus, numbers above 1 behind
a sigmoid, empty places for logits that cannot be negative.

## Why it costs AP
Half of all offsets are negative. A ReLU behind the predicting layer makes them all zero, without a
gradient: boxes can move to one side and grow, and never the other way.

## Usual causes
- The block that all other layers are made of, with its activation, used for the last layer too.
- Targets in pixels, and an output between 0 and 1.

## When it is not a fault
Distances to the four sides, sizes by `exp` and scores by a sigmoid, whose targets are in reach: the
targets of the given batch decide. One target in a hundred may be out of reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace, Value
from pocketdet.doctor.trace.origin import makers
from pocketdet.doctor.trace.replay import last_reads

COMPARES = frozenset({"smooth_l1_loss", "mse_loss", "huber_loss", "l1_loss", "sub"})
ON_LOGITS = "binary_cross_entropy_with_logits"
FROM_ZERO = frozenset(
    {"relu", "relu_", "softplus", "exp", "exp_", "abs", "hardsigmoid", "sigmoid", "sigmoid_"}
)
CUT_AT_ZERO = frozenset({"relu", "relu_", "softplus", "abs"})
OF_LOGITS = ("sigmoid", "sigmoid_", "log_sigmoid_forward")
FROM_ZERO_OR_SHARES = FROM_ZERO | {"_softmax"}
TO_ONE = frozenset({"sigmoid", "sigmoid_", "hardsigmoid", "_softmax", "tanh", "tanh_"})
FROM_MINUS_ONE = frozenset({"tanh", "tanh_"})
MARGIN = 1e-3  # of the targets' spread by which they must be out of reach
LEAST_SHARE = 0.01  # of the targets


@dataclass(frozen=True)
class _Comparison:
    op: Op
    output: Value
    target: Value
    least: float
    most: float
    activation: Op


def find_unreachable_targets(model: nn.Module, training_trace: Trace) -> Iterator[Fault]:
    inside = {name for name, _ in model.named_modules() if name}
    comparisons = {
        op.index: found
        for op in training_trace.named(*COMPARES, ON_LOGITS)
        if len(op.inputs) > 1
        and op.where not in inside
        and (found := _comparison(op, training_trace)) is not None
    }
    seen: set[str] = set()
    for fault in _never_improbable(training_trace, inside):
        if str(fault.source) not in seen:
            seen.add(str(fault.source))
            yield fault
    for comparison, target in _targets(training_trace, comparisons):
        share, worst = _out_of_reach(comparison, target)
        line = str(comparison.activation.source)
        if share > LEAST_SHARE and line not in seen:
            seen.add(line)
            yield _fault(comparison, share, worst)


def _never_improbable(trace: Trace, inside: set[str]) -> Iterator[Fault]:
    """Find logits that cannot be negative, of which the loss makes chances."""
    to_loss = trace.leads_to(list(trace.outputs.values()))
    for op in trace.named(*OF_LOGITS):
        if op.where in inside or op.index not in to_loss or op.outputs[0].numel < 2:
            continue
        sources = list(makers(op.inputs[0]))
        if not sources or not {source.name for source in sources} <= CUT_AT_ZERO:
            continue
        last = sources[0]
        if last.where is None or not trace.parameters_behind(op.inputs[0]):
            continue
        yield Fault(
            where=last.where,
            source=last.source,
            evidence=f"`{last.name}` at the end of this output gives 0 or more, and the loss takes "
            f"its `{op.name}` for a chance: it can never say less than .5, of any place or class.",
            measured={"least": 0.5},
            at=last.index,
        )


def _comparison(op: Op, trace: Trace) -> _Comparison | None:
    for output, target in (op.inputs[:2], op.inputs[1::-1]):
        if target.shape != output.shape or not target.is_float:
            continue
        if trace.parameters_behind(target) or not trace.parameters_behind(output):
            continue
        sources = list(makers(output))
        names = {source.name for source in sources}
        if not names or not (names <= FROM_ZERO_OR_SHARES or names <= TO_ONE):
            continue
        least = 0.0 if names <= FROM_ZERO_OR_SHARES else -1.0
        most = 1.0 if names <= TO_ONE else float("inf")
        if op.name == ON_LOGITS:
            least, most = (0.5 if least == 0 else 0.27), float("inf")  # as probabilities
        return _Comparison(op, output, target, least, most, sources[0])
    return None


def _targets(
    trace: Trace, comparisons: dict[int, _Comparison]
) -> Iterator[tuple[_Comparison, Tensor]]:
    """Replay the loss, and give each comparison with its targets' values."""
    run, unneeded = Run(trace), last_reads(trace)
    last = max(comparisons, default=-1)
    with torch.no_grad():
        for op in trace.forward_ops:
            if op.index > last:
                return
            if op.index in comparisons:
                comparison = comparisons[op.index]
                yield comparison, run.tensors[comparison.target.slot].clone()
            run.step(op)
            for slot in unneeded.get(op.index, ()):
                run.tensors.pop(slot, None)


def _out_of_reach(comparison: _Comparison, target: Tensor) -> tuple[float, float]:
    if target.numel() < 2:
        return 0.0, 0.0
    margin = MARGIN * float(target.std())
    below, above = target < comparison.least - margin, target > comparison.most + margin
    worst = target.min() if below.any() else target.max()
    return float((below | above).double().mean()), float(worst)


def _fault(comparison: _Comparison, share: float, worst: float) -> Fault:
    activation = comparison.activation
    reach = (
        f"between {comparison.least:g} and {comparison.most:g}"
        if comparison.most < float("inf")
        else f"{comparison.least:g} or more"
    )
    what = "stands for probabilities of" if comparison.op.name == ON_LOGITS else "gives"
    return Fault(
        where=activation.where or "",
        source=activation.source,
        evidence=f"`{activation.name}` at the end of this output {what} {reach}, and {share:.0%} "
        f"of the {comparison.target.numel:,} targets that `{comparison.op.name}` compares it with "
        f"lie outside, such as {worst:.3g}.",
        measured={"share": share, "worst": worst},
        at=activation.index,
    )


CHECK = Check(
    id="unreachable-target",
    summary="targets that the output's last activation can never reach",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Let the predicting layer end without an activation, or encode the targets to what the "
    "activation can give.",
    find=find_unreachable_targets,
)
