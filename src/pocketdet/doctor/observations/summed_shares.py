"""Shares of a whole, such as a softmax's results, that are multiplied with values and summed up."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.layout import MOVING, moved
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs

PRODUCTS = frozenset({"bmm", "mm", "matmul", "mv", "convolution"})
TIMES = frozenset({"mul", "mul_"})
SUMS = frozenset({"sum", "mean"})
BETWEEN = frozenset({"expand", "unsqueeze", "add", "clamp_min", "clone", "view", "clamp"})
MOST_VALUES = 30_000_000  # larger ones are left out: their tags would take too long
MOST_STEPS = 6  # from queries and keys to the softmax: scale, bias, mask, reshape


@dataclass(frozen=True, kw_only=True, eq=False)
class SummedShare:
    """One sum over shares.

    - `share`: the softmax, or the division by one's own sum; `summing`: the operator that sums;
    - `weights`: the operand of the product; `shape`, `axes`: as they are summed, and which axes;
    - `is_fixed`: whether they are multiplied with constants, such as the numbers of bins;
    - `is_of_products`: whether the logits are products of what the inputs made, as attention's;
    - `are_apart`: whether all members that are summed up for one result are of different wholes.
    """

    share: Op
    summing: Op
    weights: Value
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    is_fixed: bool
    is_of_products: bool
    are_apart: bool


def summed_shares(trace: Trace) -> tuple[SummedShare, ...]:
    """Follow every softmax's entries, tagged by their place in their whole, to where they go."""
    reached = from_inputs(trace)
    found: list[SummedShare] = []
    for op in trace.forward_ops:
        axis = whole_axis(op)
        if axis is None or op.index not in reached or op.outputs[0].numel > MOST_VALUES:
            continue
        found += _followed(op, axis, reached)
    return tuple(found)


def whole_axis(op: Op) -> int | None:
    """Give the axis along which an operator's results sum to 1, None for all others."""
    if op.name == "_softmax":
        return int(op.argument("dim")) % max(1, len(op.outputs[0].shape))
    if op.name not in ("div", "div_") or len(op.inputs) != 2:
        return None
    whole = op.inputs[1].producer
    while whole is not None and whole.name in BETWEEN and whole.inputs:
        whole = whole.inputs[0].producer
    if whole is None or whole.name != "sum" or whole.inputs[0] is not op.inputs[0]:
        return None
    axes = whole.argument("dim") if len(whole.args) > 1 else None
    return int(axes[0]) % len(op.inputs[0].shape) if axes and len(axes) == 1 else None


def _followed(share: Op, axis: int, reached: set[int]) -> Iterator[SummedShare]:
    value = share.outputs[0]
    places = torch.arange(value.shape[axis], dtype=torch.int32)
    sides = [-1 if a == axis else 1 for a in range(len(value.shape))]
    is_of_products = _is_of_products(share, reached, MOST_STEPS)
    waiting = [(value, places.reshape(sides).expand(value.shape))]
    seen: set[int] = set()
    while waiting:
        current, tags = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for op in current.consumers:
            if op.is_backward:
                continue
            if op.name in MOVING and op.inputs[:1] == (current,):
                waiting += list(zip(op.outputs, moved(op, current, tags), strict=False))
            for summing, shape, axes, other in _sums(op, current):
                yield SummedShare(
                    share=share,
                    summing=summing,
                    weights=current,
                    shape=shape,
                    axes=axes,
                    is_fixed=_is_fixed(other),
                    is_of_products=is_of_products,
                    are_apart=_are_apart(tags.expand(shape), axes),
                )


def _sums(op: Op, weights: Value) -> Iterator[tuple[Op, tuple[int, ...], tuple[int, ...], Value]]:
    """Give sums of products with a value: the operator, the shape and axes, the other operand."""
    if len(op.inputs) < 2 or not op.outputs:
        return
    which = 0 if op.inputs[0] is weights else 1
    other, rank = op.inputs[1 - which], len(weights.shape)
    if op.name == "convolution" and which == 0:
        yield op, weights.shape, (1,), other
    elif op.name in PRODUCTS and op.name != "convolution" and rank > 1:
        yield op, weights.shape, (rank - 1 if which == 0 else rank - 2,), other
    elif op.name in TIMES:
        shape = op.outputs[0].shape
        for reader in op.outputs[0].consumers:
            if reader.name in SUMS and len(reader.args) > 1 and reader.argument("dim"):
                axes = tuple(int(a) % len(shape) for a in reader.argument("dim"))
                if any(_varies_along(other, a, len(shape)) for a in axes):
                    yield reader, shape, axes, other


def _varies_along(value: Value, axis: int, rank: int) -> bool:
    own = axis - (rank - len(value.shape))
    return own >= 0 and value.shape[own] > 1


def _are_apart(tags: Tensor, axes: tuple[int, ...]) -> bool:
    if all(tags.shape[axis] < 2 for axis in axes):
        return False
    return all(bool((tags == tags.narrow(axis, 0, 1)).all()) for axis in axes)


def _is_fixed(value: Value) -> bool:
    """Say whether a value is made of constants, and of nothing that is trained or comes in."""
    waiting, seen = [value], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.producer is None:
            if current.kind == "input" or (current.kind == "parameter" and current.requires_grad):
                return False
        else:
            waiting.extend(current.producer.inputs)
    return True


def _is_of_products(op: Op, reached: set[int], most_steps: int) -> bool:
    makers = [value.producer for value in op.inputs if value.producer is not None]
    for maker in makers:
        is_product = maker.name in PRODUCTS and maker.name != "convolution"
        if is_product and all(v.producer and v.producer.index in reached for v in maker.inputs[:2]):
            return True
        if most_steps and not is_product and _is_of_products(maker, reached, most_steps - 1):
            return True
    return False
