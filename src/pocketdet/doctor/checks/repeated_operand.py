"""A map that is joined to itself, where another one was meant.

## What it finds
Features that are joined along their channels, or added, with features that are the very same
computation: the same map, or the same slice of it, twice in one `cat` or sum.

## Why it costs AP
The second copy says nothing new. What should stand in its place, the enlarged coarser level,
another corner of the image, a pooled map, is missing, while every shape is right.

## Usual causes
- A copied line: `torch.cat([x2, x2], 1)`, `x[..., ::2, ::2]` in two of four corners.
- A loop that names its outer variable: `[x] + [x for pool in pools]` in place of `pool(x)`.
- The old name of a feature that was renamed.

## When it is not a fault
Grey images that are made three channels, coordinates and other few numbers, joins of samples, and
`repeat` are left alone. A map that is doubled on purpose to fit a wider sum: allow the check, with
that reason.
"""

from collections.abc import Iterator
from itertools import combinations

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Ref, Trace, Value
from pocketdet.doctor.trace.numbering import numbered

LEAST_CHANNELS = 3  # fewer are colours made of grey, coordinates or scores
MAP_AXES = 4  # (b, c, h, w); tokens have one less
JOINS = ("cat", "add")


def find_repeated_operands(trace: Trace) -> Iterator[Fault]:
    images = [v for v in trace.inputs.values() if v.is_float]
    reached = trace.follows_from(images)
    used = trace.leads_to(list(trace.outputs.values()))
    numbers = numbered(trace)
    for op in trace.named(*JOINS):
        if op.index not in reached or op.index not in used:
            continue
        joined = [v for v in op.inputs if _is_made(v, reached)]
        if op.name == "add" and len(op.inputs) == 1 and isinstance(op.args[1], Ref):
            joined *= 2  # `x + x` reads one value
        copies = _copies(op, joined, numbers)
        if copies:
            yield _fault(op, copies, len(joined))


def _is_made(value: Value, reached: set[int]) -> bool:
    return value.is_float and value.producer is not None and value.producer.index in reached


def _copies(op: Op, joined: list[Value], numbers: dict[int, int]) -> Value | None:
    """Give the first operand that is there twice, with enough channels."""
    for one, other in combinations(joined, 2):
        rank = len(one.shape)
        if rank < MAP_AXES - 1 or one.shape != other.shape:
            continue
        channels = 1 if rank == MAP_AXES else rank - 1
        axis = int(op.argument("dim")) % rank if op.name == "cat" else channels
        if axis == 0:
            continue  # samples
        if numbers[id(one)] == numbers[id(other)] and one.shape[axis] >= LEAST_CHANNELS:
            return one
    return None


def _fault(op: Op, copy: Value, count: int) -> Fault:
    maker = copy.producer
    made = f"`{maker.name}` in `{maker.where or 'the model'}`" if maker else "the input"
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` joins {count} operands, and two of them are the same "
        f"{'×'.join(map(str, copy.shape))} features, that {made} makes.",
        measured={"operands": count, "shape": list(copy.shape)},
        at=op.index,
    )


CHECK = Check(
    id="repeated-operand",
    summary="a map that is joined to itself",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Look at the names on this line: one of them should be another map.",
    find=find_repeated_operands,
)
