"""A path from coarse to fine levels that ends on the way: a merge that nothing goes on from.

## What it finds
Where a level is merged with an enlarged coarser one, and the next finer level is merged with the
level as it was before that: the coarser level never reaches the finer ones. And, with a
`training_loss`, maps that are detached where they are merged with other maps: what is seen there
teaches the coarser level nothing, while its other paths train it.

## Why it costs AP
Small objects are found on the finest level, and what a pyramid is for, the context of the coarse
levels, does not come there. Every shape is right, and every layer gets a gradient from somewhere.

## Usual causes
- `p3 = c3 + up(c4)` where `p4 = c4 + up(c5)` was made in between, and `up(p4)` is meant.
- A loop that reads the laterals and writes to another list.
- `up(p4.detach())`, `.data` or `torch.no_grad()` around the top-down path.

## When it is not a fault
Networks in which the coarser level reaches the finer one by another way (all levels enlarged and
joined, exchange units, nested decoders) are left alone, and so are straight-through estimators,
detached boxes, flows and gates. A path that is cut on purpose: allow the check, with that reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.cuts import cuts, name_of_cut
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs, plain_ancestors

MERGES = ("add", "add_", "cat")
LEAST_CHANNELS = 8  # fewer are boxes, flows, coordinates or scores, which are detached on purpose
MOST_STEPS = 60  # of one way back to a coarser map


@dataclass(frozen=True, kw_only=True)
class _Merge:
    """`op` joins a map with one that was enlarged; `coarse`: that map as it was before."""

    op: Op
    fine: Value
    coarse: Value
    area: int


def find_lost_paths(trace: Trace, training_trace: Trace | None = None) -> Iterator[Fault]:
    seen: set[str] = set()
    for fault in (*_passed_over(trace), *_detached(training_trace)):
        if str(fault.source) not in seen:
            seen.add(str(fault.source))
            yield fault


def _passed_over(trace: Trace) -> Iterator[Fault]:
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    merges = [m for m in _merges(trace) if m.op.index in to_outputs]
    for finer in merges:
        way = _way_back(finer.coarse)
        for passed in merges:
            if passed.area >= finer.area:
                continue
            if passed.op in (finer.op, *(v.producer for v in way)) or not _share(way, passed.fine):
                continue
            if not _arrives(trace, passed, finer, merges):
                yield _passed_over_fault(passed, finer)
                break


def _merges(trace: Trace) -> Iterator[_Merge]:
    reached = from_inputs(trace)
    for op in trace.named(*MERGES):
        maps = [v for v in op.inputs if _is_map(v) and v.producer and v.producer.index in reached]
        if op.index not in reached or len(maps) != 2 or maps[0] is maps[1]:
            continue
        for fine, other in (maps, maps[::-1]):
            coarse = _before_enlarging(other)
            if coarse is not None and _before_enlarging(fine) is None:
                yield _Merge(op=op, fine=fine, coarse=coarse, area=_area(op.outputs[0]))


def _is_map(value: Value) -> bool:
    return len(value.shape) == 4 and value.is_float and min(value.shape[1:]) > 1


def _area(value: Value) -> int:
    return value.shape[2] * value.shape[3]


def _way_back(value: Value) -> list[Value]:
    """Give a value and what it was made from, as long as each step has one map only."""
    way = [value]
    for _ in range(MOST_STEPS):
        op = way[-1].producer
        maps = [v for v in op.inputs if v.producer is not None and v.is_float] if op else []
        if len(maps) != 1:
            break
        way.append(maps[0])
    return way


def _before_enlarging(value: Value) -> Value | None:
    """Give the coarser map that a map was enlarged from; None where it was not."""
    for before in _way_back(value)[1:]:
        if len(before.shape) == 4 and _is_map(before):
            if _area(before) < _area(value):
                return before
            if _area(before) > _area(value):
                return None
    return None


def _share(way: list[Value], fine: Value) -> bool:
    """Say whether what was enlarged and the operand of the other merge are of one map."""
    size = fine.shape[2:]
    ids = {id(v) for v in way if len(v.shape) == 4 and v.shape[2:] == size}
    return any(id(v) in ids for v in _way_back(fine) if v.shape[2:] == size)


def _arrives(trace: Trace, passed: _Merge, finer: _Merge, merges: list[_Merge]) -> bool:
    """Say whether the coarsest map reaches the finer level, by this way or another."""
    after = trace.follows_from([passed.coarse])
    if any(m.area >= finer.area and m.op.index in after for m in merges):
        return True
    behind = trace.follows_from(list(finer.op.outputs)) & after
    return any(
        _is_map(value) and _area(value) >= finer.area
        for index in behind
        for value in trace.ops[index].outputs
    )


def _passed_over_fault(passed: _Merge, finer: _Merge) -> Fault:
    op, merge = finer.op, passed.op
    shapes = ["×".join(map(str, v.shape[1:])) for v in (op.outputs[0], merge.outputs[0])]
    shapes.append("×".join(map(str, passed.coarse.shape[1:])))
    line = f" at {merge.source}" if merge.source else ""
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"This {shapes[0]} level is merged with the {shapes[1]} level as it is before "
        f"that one is merged with the {shapes[2]} map (`{merge.name}`{line}): the coarser map "
        "reaches no finer level.",
        measured={"finer": list(op.outputs[0].shape), "coarser": list(passed.coarse.shape)},
        at=op.index,
    )


def _detached(trace: Trace | None) -> Iterator[Fault]:
    for op in trace.forward_ops if trace is not None else ():
        if op.name not in MERGES or op.where is None or not op.outputs[0].requires_grad:
            continue
        maps = [v for v in op.inputs if _is_map(v) and v.shape[1] >= LEAST_CHANNELS]
        taught = [v for v in maps if v.requires_grad]
        for value in maps:
            cut = None if value.requires_grad or not taught else _cut_behind(value)
            if cut is not None and not _is_estimator(value, taught):
                yield _detached_fault(op, value, cut)


def _cut_behind(value: Value) -> Op | None:
    """Give the operator that cuts the way back to trained layers, through what only resizes."""
    for before in _way_back(value):
        if before.producer is not None and cuts(before.producer):
            return before.producer
    return None


def _is_estimator(value: Value, taught: list[Value]) -> bool:
    known = plain_ancestors(value)
    return any(id(other) in known for other in taught)


def _detached_fault(op: Op, value: Value, cut: Op) -> Fault:
    shape = "×".join(map(str, value.shape))
    line = f" at {cut.source}" if cut.source else ""
    return Fault(
        where=cut.where or op.where or "",
        source=cut.source or op.source,
        evidence=f"`{op.name}` in `{op.where or 'the model'}` merges a {shape} map that "
        f"{name_of_cut(cut)}{line} has cut off: the layers before it learn nothing from what is "
        "made of the merged map.",
        measured={"shape": list(value.shape)},
        severity=Severity.WARNING,
        at=cut.index,
    )


CHECK = Check(
    id="lost-path",
    summary="a coarse level that does not reach the finer ones, or does not learn from them",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Enlarge the merged level, `p3 = c3 + up(p4)`, without `detach()`.",
    find=find_lost_paths,
    explained_by=("unreached-parameter",),
)
