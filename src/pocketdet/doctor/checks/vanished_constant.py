"""A small constant that the precision of its tensor turns into zero, or into one.

## What it finds
Numbers written in the code that are added to a tensor of half precision, or that bound it, and
that this precision cannot tell from 0 or from 1, where a logarithm, a root or a division follows:
`x + 1e-8` in float16, `clamp(max=1 - 1e-4)` in bfloat16. Looked for in the network and in the
training loss.

## Why it costs AP
The constant is there to keep a logarithm or a division finite. Without it the first probability
that underflows gives an infinite loss, and after that step every weight is NaN.

## Usual causes
- An epsilon chosen for single precision in code that runs under `autocast` or after `.half()`.
- `clamp(eps, 1 - eps)` before `log(p)` and `log(1 - p)`: in bfloat16 all above .998 is 1.

## When it is not a fault
A constant that is zero in its tensor's precision and only added up, or compared, does no harm: it
is told only where an operator follows that is infinite at zero.
"""

from collections.abc import Iterator

import torch

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace, lockstep
from pocketdet.doctor.trace.between import follow

HALVES = (torch.float16, torch.bfloat16)
ADDS = ("add", "add_", "sub", "sub_", "rsub")
BOUNDS = ("clamp", "clamp_", "clamp_min", "clamp_min_", "clamp_max", "clamp_max_")
AT_ZERO = frozenset(
    {"log", "log_", "log2", "log10", "sqrt", "rsqrt", "rsqrt_", "reciprocal", "reciprocal_"}
)
DIVIDES = frozenset({"div", "div_"})
BETWEEN = ("view", "reshape", "_unsafe_view", "select", "slice", "index", "neg", "expand", "rsub")


def find_vanished_constants(trace: Trace, training_trace: Trace | None = None) -> Iterator[Fault]:
    seen: set[str] = set()
    for one in (trace, training_trace):
        found = list(_vanished(one)) if one is not None else []
        at_the_edge = _at_the_edge(one, [op for op, _, _ in found]) if one and found else {}
        for op, constant, becomes in found:
            if str(op.source) not in seen:
                seen.add(str(op.source))
                yield _fault(op, constant, becomes, at_the_edge.get(op.index, 0))


def _vanished(trace: Trace) -> Iterator[tuple[Op, float, int]]:
    """Give operators with the constant that vanishes, and what it becomes."""
    for op in trace.forward_ops:
        if not op.outputs or op.outputs[0].dtype not in HALVES:
            continue
        for constant, becomes in _constants(op):
            dtype = op.outputs[0].dtype
            if constant == becomes or float(torch.tensor(constant).to(dtype)) != becomes:
                continue
            readers = follow(op.outputs[0], BETWEEN)
            if any(_is_infinite_at_zero(reader, op) for reader in readers):
                yield op, constant, becomes


def _constants(op: Op) -> Iterator[tuple[float, int]]:
    """Give numbers among the arguments, with the number that they must not become."""
    if op.name in ADDS and len(op.args) > 1 and isinstance(op.args[1], int | float):
        yield float(op.args[1]), 0
    if op.name in BOUNDS:
        names = {argument.name for argument in op.overload._schema.arguments}
        for name, becomes in (("min", 0), ("max", 1)):
            bound = op.argument(name) if name in names else None
            if isinstance(bound, int | float):
                yield float(bound), becomes


def _is_infinite_at_zero(reader: Op, op: Op) -> bool:
    if reader.name in AT_ZERO:
        return True
    if reader.name == "pow":
        exponent = reader.argument("exponent")
        return isinstance(exponent, int | float) and exponent < 1
    is_divisor = len(reader.inputs) > 1 and reader.inputs[1].producer is not None
    return reader.name in DIVIDES and is_divisor and _comes_from(reader, op)


def _comes_from(reader: Op, op: Op) -> bool:
    maker = reader.inputs[1].producer
    while maker is not None and maker is not op and maker.name in BETWEEN and maker.inputs:
        maker = maker.inputs[0].producer
    return maker is op


def _at_the_edge(trace: Trace, ops: list[Op]) -> dict[int, int]:
    """Count, by operator, the values that are 0 now where the constant should keep them from it."""
    wanted = {op.index for op in ops}
    counts: dict[int, int] = {}
    for op, results in lockstep(trace, [Run(trace)]):
        if op.index in wanted:
            value = results[0][0]
            is_upper = op.name in BOUNDS and not bool((value == 0).any())
            counts[op.index] = int((value == (1 if is_upper else 0)).sum())
    return counts


def _fault(op: Op, constant: float, becomes: int, count: int) -> Fault:
    dtype = str(op.outputs[0].dtype).removeprefix("torch.")
    now = f"; {count:,} values are {becomes} after it already now" if count else ""
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The constant {_written(constant)} of `{op.name}` is {becomes} in {dtype}, the "
        f"precision of its tensor, and what follows is infinite at zero{now}.",
        measured={"constant": constant, "values": count},
        severity=Severity.ERROR if count else Severity.WARNING,
        at=op.index,
    )


def _written(constant: float) -> str:
    return f"1 − {1 - constant:.2g}" if 0.9 < constant < 1 else f"{constant:g}"


CHECK = Check(
    id="vanished-constant",
    summary="an epsilon that half precision turns into zero",
    stage=Stage.DETERMINISM,
    severity=Severity.WARNING,
    remedy="Compute this part in single precision (`x.float()`), or take an epsilon that the "
    "precision can hold: 1e-6 in float16, 1e-2 below 1 in bfloat16.",
    find=find_vanished_constants,
)
