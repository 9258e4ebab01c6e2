"""Features divided by a length or a sum of themselves, and their size on a larger image."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pocketdet.doctor.observations.other_sizes import OtherSizes
from pocketdet.doctor.trace import Op, Run, Trace, Value, lockstep
from pocketdet.doctor.trace.between import from_inputs, reads_parameters
from pocketdet.doctor.trace.origin import MOVING

REDUCTIONS = frozenset({"sum", "linalg_vector_norm", "norm", "frobenius_norm"})
JOINS = ("div", "div_", "mul", "mul_")
STEPS = frozenset(
    {"sqrt", "sqrt_", "rsqrt", "rsqrt_", "reciprocal", "pow", "clamp_min", "clamp", "add", "add_"}
    | {"clamp_min_", "clamp_", "maximum"}
)
POWERS = frozenset({"pow", "abs", "mul", "square", "relu", "clamp_min", "add", "exp"})
MOST_STEPS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Length:
    """Features divided by a length (or sum) of themselves, of which one grows with the image.

    - `op`: the division; `reduction`: the length; `axes`: those of it that grow; `count`: of
      elements that one length is of;
    - `left`: the size of the result relative to the features', root mean square, here;
    - `shrinks`: by which that is multiplied on a larger image;
    - `later`: the least that what the next layers are given is multiplied by, beside the features'
      own change; None where no layer follows.
    """

    op: Op
    reduction: Op
    axes: tuple[int, ...]
    count: int
    left: float
    shrinks: float
    later: float | None


def lengths(trace: Trace, other_sizes: OtherSizes) -> tuple[Length, ...]:
    """Find them, and run the pass on the larger image again to see what becomes of their size."""
    larger = next((t for t in other_sizes.traces if _is_larger(t, trace)), None)
    if larger is None:
        return ()
    found = list(_candidates(trace, larger))
    if not found:
        return ()
    layers = {op.index: list(_layers_behind(op, trace)) for op, *_ in found}
    wanted = {v.slot for op, features, *_ in found for v in (*op.outputs, features)}
    wanted |= {v.slot for near in layers.values() for v in near}
    here, there = _sizes(trace, wanted), _sizes(larger, wanted)
    result: list[Length] = []
    for op, features, reduction, axes in found:
        made = op.outputs[0].slot
        if min(here[made], here[features.slot], there[features.slot]) <= 0:
            continue
        left = here[made] / here[features.slot]
        # Of the features' own change: a larger image is smoother, and its features are smaller.
        own = there[features.slot] / here[features.slot]
        behind = [there[v.slot] / here[v.slot] / own for v in layers[op.index] if here[v.slot] > 0]
        result.append(
            Length(
                op=op,
                reduction=reduction,
                axes=axes,
                count=reduction.inputs[0].numel // max(1, reduction.outputs[0].numel),
                left=left,
                shrinks=there[made] / here[made] / own,
                later=min(behind, default=None),
            )
        )
    return tuple(result)


def _is_larger(other: Trace, trace: Trace) -> bool:
    return any(
        len(v.shape) > 2
        and v.shape[0] == other.inputs[p].shape[0]
        and v.numel < other.inputs[p].numel
        for p, v in trace.inputs.items()
        if p in other.inputs
    )


Candidate = tuple[Op, Value, Op, tuple[int, ...]]


def _candidates(trace: Trace, larger: Trace) -> Iterator[Candidate]:
    reached = from_inputs(trace)
    for op in trace.named(*JOINS):
        if op.index not in reached or len(op.inputs) != 2:
            continue
        for which in (0, 1) if op.name.startswith("mul") else (1,):
            features, length = op.inputs[1 - which], op.inputs[which]
            reduction = _reduction_behind(length, features)
            if reduction is not None:
                axes = _growing(reduction, larger)
                if axes:
                    yield op, features, reduction, axes
                    break


def _reduction_behind(length: Value, features: Value) -> Op | None:
    """Follow a divisor back to a reduction of the features themselves."""
    current = length
    for _ in range(MOST_STEPS):
        op = current.producer
        if op is None:
            return None
        if op.name in REDUCTIONS:
            is_own = _origin(op.inputs[0]) is _origin(features)
            return op if is_own and op.inputs[0].numel > op.outputs[0].numel else None
        if op.name not in STEPS and op.name not in MOVING:
            return None
        current = op.inputs[0]
    return None


def _origin(value: Value) -> Value:
    """Give what powers, sizes and moves were made of."""
    while value.producer is not None and value.producer.inputs:
        op = value.producer
        is_power = op.name in POWERS and len({id(v) for v in op.inputs}) == 1
        if not is_power and (op.name not in MOVING or op.name in ("cat", "stack", "copy_")):
            break
        value = op.inputs[0]
    return value


def _growing(reduction: Op, larger: Trace) -> tuple[int, ...]:
    before, after = reduction.inputs[0].shape, larger.ops[reduction.index].inputs[0].shape
    if len(before) != len(after):
        return ()
    return tuple(axis for axis in _axes(reduction) if after[axis] > before[axis])


def _axes(reduction: Op) -> list[int]:
    rank = len(reduction.inputs[0].shape)
    names = [argument.name for argument in reduction.overload._schema.arguments]
    given = reduction.argument("dim") if "dim" in names else None
    axes = [given] if isinstance(given, int) else list(given or range(rank))
    return [int(axis) % max(rank, 1) for axis in axes]


def _layers_behind(op: Op, trace: Trace) -> Iterator[Value]:
    """Give what the first layers behind an operator are given of it."""
    waiting, seen = list(op.outputs), set[int]()
    while waiting:
        value = waiting.pop()
        for reader in value.consumers:
            if reader.is_backward or reader.index in seen:
                continue
            seen.add(reader.index)
            if reads_parameters(reader) and reader.name not in (
                "mul",
                "mul_",
                "div",
                "add",
                "add_",
            ):
                yield value
            else:
                waiting.extend(reader.outputs)


def _sizes(trace: Trace, wanted: set[int]) -> dict[int, float]:
    """Give root mean squares by slot."""
    found: dict[int, float] = {}
    run = Run(trace)
    with torch.no_grad():
        for op, results in lockstep(trace, [run]):
            for value, tensor in zip(op.outputs, results[0], strict=False):
                if value.slot in wanted and tensor.is_floating_point() and tensor.numel():
                    norm = float(torch.linalg.vector_norm(tensor.float()))
                    found[value.slot] = norm / tensor.numel() ** 0.5
    return {slot: found.get(slot, 0.0) for slot in wanted}
