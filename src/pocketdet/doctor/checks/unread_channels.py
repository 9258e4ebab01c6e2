"""Channels that a layer makes and that nothing reads.

## What it finds
Features that are only read in slices along the axis of their channels, where the slices together
leave channels out, in evaluation and in training.

## Why it costs AP
A part of the layer's filters is computed for nothing and learns nothing; often the other part is
read twice, where each half was meant to have its own.

## Usual causes
- A copied slice: `x[:, :c]` in both branches.
- A piece of `chunk` or `split` that is kept in a name and not used.

## When it is not a fault
A class token, a last step or a cut border, which lie along other axes. Pieces that training reads.
"""

from collections.abc import Iterator

import torch

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.training_pass import TrainingPass
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs

SLICES = frozenset({"slice", "split", "split_with_sizes", "narrow", "chunk", "select", "unbind"})
LEAST_SHARE = 0.1  # of the channels
LEAST_CHANNELS = 4
PIECES = frozenset({"split", "split_with_sizes", "chunk", "unbind"})


def find_unread_channels(
    trace: Trace, training_pass: TrainingPass | None = None
) -> Iterator[Fault]:
    in_training = None
    if training_pass is not None:
        in_training = {_place(op) for op, _ in _unread(training_pass.trace)}
    seen: set[str] = set()
    for op, unread in _unread(trace):
        if str(op.source) in seen or (in_training is not None and _place(op) not in in_training):
            continue
        seen.add(str(op.source))
        yield _fault(op, unread)


def _place(op: Op) -> tuple[str | None, str]:
    return op.where, str(op.source)


def _unread(trace: Trace) -> Iterator[tuple[Op, list[int]]]:
    reached = from_inputs(trace)
    used = trace.leads_to([*trace.outputs.values(), *trace.kept])
    kept = {id(v) for v in (*trace.outputs.values(), *trace.kept)}
    for op in trace.forward_ops:
        if op.index not in reached & used or op.is_view or op.name in SLICES or not op.outputs:
            continue
        value = op.outputs[0]
        axis = len(value.shape) - 1 if len(value.shape) < 4 else 1
        readers = [reader for reader in value.consumers if reader.index in used]
        if id(value) in kept or len(value.shape) < 2 or not readers or op.is_in_place:
            continue
        if not all(_cuts(reader, axis, len(value.shape)) for reader in readers):
            continue
        read = torch.zeros(value.shape[axis], dtype=torch.bool)
        pieces = [piece for reader in readers for piece in _pieces(reader, axis, value)]
        for which in (which for piece, which in pieces if _is_used(piece, used, kept)):
            read[which] = True
        unread = (~read).nonzero()[:, 0].tolist()
        if read.any() and len(unread) >= max(LEAST_CHANNELS, LEAST_SHARE * len(read)):
            yield op, unread


def _cuts(op: Op, axis: int, rank: int) -> bool:
    """Say whether an operator takes slices along this axis, or passes others whole."""
    if op.name not in SLICES:
        return False
    if int(op.argument("dim")) % rank == axis:
        return True
    # `x[:, a:b]` is a slice of all samples, then one of channels: views of it are cut later.
    return op.name == "slice" and op.outputs[0].shape == op.inputs[0].shape


def _pieces(op: Op, axis: int, value: Value) -> Iterator[tuple[Value, slice | int]]:
    """Give what an operator cuts off, and which channels these are."""
    if int(op.argument("dim")) % len(value.shape) != axis:
        made = op.outputs[0]
        for reader in made.consumers:
            if _cuts(reader, axis, len(made.shape)):
                yield from _pieces(reader, axis, made)
            elif not reader.is_backward:
                yield made, slice(None)
        return
    size = value.shape[axis]
    if op.name in PIECES:
        start = 0
        for made in op.outputs:
            width = made.shape[axis] if op.name != "unbind" else 1
            yield made, slice(start, start + width)
            start += width
    elif op.name == "select":
        yield op.outputs[0], int(op.argument("index")) % size
    else:
        start = int(op.argument("start") or 0)
        start = start + size if start < 0 else start
        step = int(op.argument("step")) if op.name == "slice" else 1
        width = op.outputs[0].shape[axis]
        yield op.outputs[0], slice(start, start + (width - 1) * step + 1, step)


def _is_used(value: Value, used: set[int], kept: set[int]) -> bool:
    return id(value) in kept or any(reader.index in used for reader in value.consumers)


def _fault(op: Op, unread: list[int]) -> Fault:
    shape = op.outputs[0].shape
    axis = len(shape) - 1 if len(shape) < 4 else 1
    readers = [reader for reader in op.outputs[0].consumers if reader.source]
    return Fault(
        where=(readers[-1].where if readers else op.where) or "",
        source=readers[-1].source if readers else op.source,
        evidence=f"{len(unread)} of the {shape[axis]} channels (from {unread[0]} to {unread[-1]}) "
        f"of the {'×'.join(map(str, shape))} features that `{op.name}` makes in "
        f"`{op.where or 'the model'}` are in no slice that is used.",
        measured={"unread": len(unread), "channels": shape[axis]},
        at=op.index,
    )


CHECK = Check(
    id="unread-channels",
    summary="channels that are made and never read",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Let the slices cover all channels (`a, b = x.chunk(2, 1)`, and use both), or make "
    "fewer channels.",
    find=find_unread_channels,
    explained_by=("unused-result", "unreached-parameter"),
)
