"""Grouped convolutions in a row whose groups never see each other.

## What it finds
Each channel is followed by the group that it stems from, through grouped convolutions and whatever
keeps channels apart (norms, activations, pooling, additions, shuffles). It reports where a third
grouped convolution in a row still has, in each of its channels, one group of the first alone.

## Why it costs AP
The block is as many small networks side by side as there are groups, each with a part of the
features: it costs what it costs, and can say less than one dense layer.

## Usual causes
- A channel shuffle that was left out, or that is undone or made with another number of groups.

## When it is not a fault
Depthwise convolutions, grouped ones between dense ones (ResNeXt, RegNet), shuffles that mix, and
two grouped convolutions in a row, as in AlexNet.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import MOVING, POINTWISE, moved
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.trace.between import from_inputs

IN_A_ROW = 3
KEEPS = POINTWISE | {
    "max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "upsample_nearest2d",
    "upsample_bilinear2d", "constant_pad_nd",
}  # fmt: skip

Origins = tuple[Tensor, int]  # (channels, groups) whether a channel has something of a group; convs


def find_separate_groups(trace: Trace) -> Iterator[Fault]:
    if sum(_is_grouped(op) for op in trace.named("convolution")) < IN_A_ROW:
        return
    reached = from_inputs(trace)
    known: dict[int, Origins] = {}  # by id of the value
    folded: dict[int, tuple[Tensor, Origins]] = {}  # channels of each entry, where they are folded
    for op in trace.forward_ops:
        if op.index in reached and op.inputs and op.outputs:
            found = _step(op, known, folded)
            if found is not None:
                yield _fault(op, found)
                return


def _step(
    op: Op, known: dict[int, Origins], folded: dict[int, tuple[Tensor, Origins]]
) -> int | None:
    """Follow the origins through an operator; gives the groups where they never met."""
    if op.name == "convolution":
        found = _through(op, known)
        if found is not None:
            known[id(op.outputs[0])] = found
            return found[0].shape[1] if found[1] == IN_A_ROW and _is_grouped(op) else None
    elif op.name in MOVING:
        _move(op, known, folded)
    elif op.name in KEEPS:
        joined = _joined(op, known)
        if joined is not None:
            known[id(op.outputs[0])] = joined
    return None


def _is_grouped(op: Op) -> bool:
    """Say whether a convolution has several groups of several channels."""
    groups, channels = int(op.argument("groups")), op.inputs[0].shape[1]
    return op.name == "convolution" and 1 < groups < channels


def _through(op: Op, known: dict[int, Origins]) -> Origins | None:
    groups = int(op.argument("groups"))
    before, after = op.inputs[0].shape[1], op.outputs[0].shape[1]
    origins = known.get(id(op.inputs[0]))
    if origins is not None:
        each = origins[0].reshape(groups, before // groups, -1).any(1)
        made = each.repeat_interleave(after // groups, 0)
        if bool((made.sum(1) == 1).all()):
            return made, origins[1] + _is_grouped(op)
    if not _is_grouped(op):
        return None
    return torch.eye(groups, dtype=torch.bool).repeat_interleave(after // groups, 0), 1


def _joined(op: Op, known: dict[int, Origins]) -> Origins | None:
    """Join what several operands have; None where one of them is of an unknown origin."""
    shape = op.outputs[0].shape
    whole = [v for v in op.inputs if v.producer is not None and v.is_float and v.shape == shape]
    if not whole:
        whole = [v for v in op.inputs[:1] if v.shape[1:2] == shape[1:2]]
    origins = [known[id(v)] for v in whole if id(v) in known]
    others = [v for v in whole if id(v) not in known]
    groups = {origin[0].shape[1] for origin in origins}
    if len(groups) != 1 or len(shape) < 2:
        return None
    joined = torch.stack([origin[0] for origin in origins]).any(0)
    if others:  # a skip from before the first grouped convolution: its channels as that one reads
        own = torch.eye(next(iter(groups)), dtype=torch.bool)
        if joined.shape[0] % own.shape[0]:
            return None
        joined = joined | own.repeat_interleave(joined.shape[0] // own.shape[0], 0)
    if not bool((joined.sum(1) == 1).all()):
        return None
    return joined, max(origin[1] for origin in origins)


def _move(op: Op, known: dict[int, Origins], folded: dict[int, tuple[Tensor, Origins]]) -> None:
    value = op.inputs[0]
    if id(value) in folded:
        tags, origins = folded[id(value)]
    elif id(value) in known:
        origins = known[id(value)]
        sides = [1] * len(value.shape)
        sides[1] = value.shape[1]
        tags = torch.arange(value.shape[1], dtype=torch.int32).reshape(sides).expand(value.shape)
    else:
        return
    for made, tag in zip(op.outputs, moved(op, value, tags), strict=True):
        by_channel = tag.transpose(0, 1).flatten(1) if tag.ndim >= 2 else None
        if by_channel is not None and bool((by_channel == by_channel[:, :1]).all()):
            known[id(made)] = origins[0][by_channel[:, 0].long()], origins[1]
        else:
            folded[id(made)] = tag, origins


def _fault(op: Op, groups: int) -> Fault:
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"This is the third grouped convolution in a row in which the {groups} groups "
        f"have not met: each of its {op.outputs[0].shape[1]} channels depends on one {groups}th of "
        "the channels that the first was given.",
        measured={"groups": groups},
        at=op.index,
    )


CHECK = Check(
    id="separate-groups",
    summary="grouped convolutions whose groups never see each other",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Shuffle the channels between them: `x.view(b, g, c // g, h, w).transpose(1, 2)"
    ".reshape(b, c, h, w)`, or put a dense 1×1 convolution there.",
    find=find_separate_groups,
)
