"""Values that are not finite, or gradients that are not.

## What it finds
NaN or infinity in the outputs for the given inputs, and the operator that makes the first; and
gradients that are not finite, for the given inputs or for a black image, with the operator whose
slope is infinite there; and a training loss that is infinite for outputs that are sure, right or
wrong. Values too large for half precision are told as `info`.

## Why it costs AP
One NaN in a gradient makes every weight NaN at the next step. Where it needs a black patch or a
place where all features are zero it comes after hours, on one image.

## Usual causes
- `x.pow(2).sum(1).sqrt()` where all of x can be zero: the slope of a root is infinite there, and
  an epsilon added after the root does not help.
- `log`, a division or a power below one of something that a ReLU made.
- `torch.where` that hides a value that is not finite: its gradient is still NaN.

## When it is not a fault
An infinity that masks places before a softmax: only outputs and gradients are judged.
"""

from collections.abc import Iterator
import math

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.edges import Edges
from pocketdet.doctor.observations.loss_sums import LossSum
from pocketdet.doctor.observations.signals import Signals
from pocketdet.doctor.trace import Op, Trace

HALF_MOST = 65_504.0  # the largest number of half precision
MASK_LEAST = 1e30  # such numbers stand for infinity, on purpose


def find_non_finite(
    trace: Trace,
    signals: Signals,
    edges: Edges | None = None,
    sure_answers: tuple[LossSum, ...] | None = None,
) -> Iterator[Fault]:
    outputs = [tensor for _, tensor in tensors_in(trace.result) if tensor.is_floating_point()]
    if any(bool(tensor.isnan().any()) for tensor in outputs):
        yield _of_outputs(trace, signals, sum(int(t.isnan().sum()) for t in outputs))
        return
    if edges is not None:
        yield from _of_gradients(edges)
    if sure_answers is not None:
        yield from _of_sure_answers(sure_answers)
    yield from _beyond_half(trace, signals)


def _of_sure_answers(costs: tuple[LossSum, ...]) -> Iterator[Fault]:
    """Find a loss that is infinite where outputs are as sure as `perfect` makes them."""
    infinite = [one for one in costs if not math.isfinite(one.total)]
    if not infinite:
        return
    shares = infinite[0].shares
    bad = next((share for share in shares if not math.isfinite(share.adds)), None)
    by = f", by its term `{bad.op}`" if bad else ""
    yield Fault(
        where="",
        source=bad.source if bad else None,
        evidence=f"The training loss is {infinite[0].total} for outputs that are as sure of an "
        f"object as `perfect` makes them{by}: training ends where the network is as sure.",
        measured={"answers": len(infinite), "of": len(costs)},
        severity=Severity.WARNING,
        remedy="Take logarithms of logits (`log_softmax`, `logsigmoid`, `..._with_logits`), or "
        "bound probabilities before the logarithm by what their type can hold.",
    )


def _of_outputs(trace: Trace, signals: Signals, count: int) -> Fault:
    on_the_way = trace.leads_to(list(trace.outputs.values()))
    origin = next(
        (op for op in trace.forward_ops if op.index in on_the_way and _has(op, signals, "nan")),
        None,
    )
    while origin is not None and (infinite := _made_infinite(origin, signals)) is not None:
        origin = infinite
    made = f" `{origin.name}` makes the first." if origin is not None else ""
    return Fault(
        where=(origin.where or "") if origin else "",
        source=origin.source if origin else None,
        evidence=f"{count:,} values of the outputs are not a number on the given inputs.{made}",
        measured={"values": count},
        at=origin.index if origin else 0,
    )


def _has(op: Op | None, signals: Signals, what: str) -> bool:
    made = signals.of(op)
    return made is not None and (made.has_nan if what == "nan" else made.has_inf)


def _made_infinite(op: Op, signals: Signals) -> Op | None:
    """Give the operator before this one that made an infinity, where one did."""
    makers = (value.producer for value in op.inputs)
    return next((maker for maker in makers if _has(maker, signals, "inf")), None)


def _of_gradients(edges: Edges) -> Iterator[Fault]:
    for name, is_given in (("the given inputs", True), ("a black image", False)):
        edge = edges.given if is_given else edges.black
        if edge is None or not edge.bad_gradients:
            continue
        op = edge.steepest
        because = f" `{op.name}` is taken of zero there, where its slope is infinite." if op else ""
        yield Fault(
            where=(op.where or "") if op else "",
            source=op.source if op else None,
            evidence=f"For {name} the outputs are "
            f"{'finite' if edge.is_finite else 'not finite'}, and the gradients of "
            f"{len(edge.bad_gradients)} parameters, such as `{edge.bad_gradients[0]}`, are not."
            f"{because}",
            measured={"parameters": len(edge.bad_gradients)},
            severity=Severity.ERROR if is_given else Severity.WARNING,
            at=op.index if op else 0,
        )
        return


def _beyond_half(trace: Trace, signals: Signals) -> Iterator[Fault]:
    for op in trace.forward_ops:
        signal = signals.of(op)
        if signal is None or op.where is None:
            continue
        most = max(abs(signal.least), abs(signal.most))
        if HALF_MOST < most < MASK_LEAST and math.isfinite(most):
            yield Fault(
                where=op.where,
                source=op.source,
                evidence=f"`{op.name}` gives values up to {most:.3g}; half precision ends at "
                "65,504, and makes them infinite.",
                measured={"most": most},
                severity=Severity.INFO,
                remedy="Keep this part in single precision, or scale its inputs.",
                at=op.index,
            )
            return


CHECK = Check(
    id="non-finite",
    summary="values or gradients that are not finite",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Put a small number inside of the root, logarithm or divisor, not behind it: "
    "`(x.pow(2).sum(1) + 1e-6).sqrt()`, `log(x.clamp(min=1e-6))`.",
    find=find_non_finite,
)
