"""How products of attention and norms read tokens: which axes are places, and which features."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocketdet.doctor.layout import FOLDING, MOVING, POINTWISE, maps_of, moved
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs

LINES = ("addmm", "mm", "linear")
PRODUCTS = ("bmm", "baddbmm")
ATTENTIONS = (
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_attention_math_for_mps",
)
NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
NORMS_TOO = ("native_group_norm",)
JOINS = ("mul", "mul_", "add", "add_", "sub", "div")
KEEPS = (POINTWISE - frozenset(NORMS)) | {"native_layer_norm"}
MOST_VALUES = 6_000_000  # a larger result is left out: its tags would take too long


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedRows:
    """Matrices that an attention reads whose rows are neither one head's nor one token's.

    - `op`: what reads them; `fold`: the reshape that made them; `source`: the layer before;
    - `share`: of the matrices; `shape`: of what is read.
    """

    op: Op
    fold: Op
    source: Op
    share: float
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class NormedPlaces:
    """A norm that takes the places, which a layer's tokens stand for, along `axis` for features."""

    op: Op
    source: Op
    axis: int
    places: int
    features: int


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossedGate:
    """Features of a layer, laid along `axis`, a side of the map that they are joined with."""

    op: Op
    source: Op
    axis: int
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenAxes:
    """What was found: in attention's operands and joined results, in norms, and in gates."""

    mixed: tuple[MixedRows, ...]
    joined: tuple[MixedRows, ...]
    normed: tuple[NormedPlaces, ...]
    crossed: tuple[CrossedGate, ...]


@dataclass(frozen=True, kw_only=True)
class _Tags:
    """A value with the place and the channel of each entry, and the first fold of its last axis."""

    source: Op
    value: Value
    place: Tensor
    channel: Tensor
    fold: Op | None


def token_axes(trace: Trace) -> TokenAxes:
    """Follow what layers and attentions made, tagged, through everything that only moves it."""
    reached = from_inputs(trace)
    read: dict[tuple[int, int], MixedRows] = {}
    normed: dict[int, NormedPlaces] = {}
    crossed: dict[int, CrossedGate] = {}
    maps = maps_of(trace)
    joined: list[MixedRows] = []
    num_samples = max((v.shape[0] for v in trace.inputs.values() if v.shape), default=1)
    for op in trace.forward_ops:
        if op.index not in reached or not op.outputs or op.outputs[0].numel > MOST_VALUES:
            continue
        if op.name in (*PRODUCTS, *ATTENTIONS) and len(op.outputs[0].shape) >= 3:
            joined += _joined(op, num_samples)
        for tags, reader in _readers(op):
            found = _mixed(tags, reader), _normed(tags, reader), _crossed(tags, reader, maps)
            if found[0] is not None:
                read[reader.index, tags.value.slot] = found[0]
            if found[1] is not None:
                normed[reader.index] = found[1]
            if found[2] is not None:
                crossed[reader.index] = found[2]
    both = [found for (index, _), found in read.items() if _is_of_two(index, read)]
    return TokenAxes(
        mixed=tuple(both),
        joined=tuple(joined),
        normed=tuple(normed.values()),
        crossed=tuple(crossed.values()),
    )


def _readers(op: Op) -> Iterator[tuple[_Tags, Op]]:
    """Give who reads what a layer made, moved since or not, with its tags."""
    if op.name in (*LINES, "convolution"):
        for tags in _followed(op, *_of_layer(op)):
            yield from ((tags, reader) for reader in tags.value.consumers)


def _of_layer(op: Op) -> tuple[Tensor, Tensor]:
    """Give the place and the channel of each entry of a layer's result."""
    value = op.outputs[0]
    tags = torch.arange(value.numel, dtype=torch.int32)
    if op.name in LINES:
        features = value.shape[-1]
        place, channel = tags // features, tags.remainder(features)
    else:
        area = value.numel // max(1, value.shape[0] * value.shape[1])
        sample = tags // (area * value.shape[1])
        place = sample * area + tags.remainder(area)
        channel = (tags // area).remainder(value.shape[1])
    return place.reshape(value.shape), channel.reshape(value.shape)


def _followed(source: Op, place: Tensor, channel: Tensor) -> Iterator[_Tags]:
    waiting = [
        _Tags(source=source, value=source.outputs[0], place=place, channel=channel, fold=None)
    ]
    seen: set[int] = set()
    while waiting:
        tags = waiting.pop()
        if id(tags.value) in seen:
            continue
        seen.add(id(tags.value))
        yield tags
        for op in tags.value.consumers:
            waiting += _next(op, tags)


def _next(op: Op, tags: _Tags) -> Iterator[_Tags]:
    if op.is_backward:
        return
    if op.name in MOVING and op.inputs[:1] == (tags.value,):
        places = moved(op, tags.value, tags.place)
        channels = moved(op, tags.value, tags.channel)
        fold = tags.fold
        if (
            fold is None
            and op.name in FOLDING
            and op.outputs[0].shape[-1:] != op.inputs[0].shape[-1:]
        ):
            fold = op
        for value, place, channel in zip(op.outputs, places, channels, strict=False):
            yield _Tags(source=tags.source, value=value, place=place, channel=channel, fold=fold)
    elif op.name in KEEPS and op.outputs[0].shape == tags.value.shape:
        yield replace(tags, value=op.outputs[0])


def _mixed(tags: _Tags, reader: Op) -> MixedRows | None:
    """Say whether an attention reads matrices that are no table of tokens and features."""
    shape = tags.value.shape
    is_read = reader.name in (*PRODUCTS, *ATTENTIONS) and tags.value in reader.inputs[:2]
    if not is_read or tags.fold is None or len(shape) < 3 or min(shape[-2:]) < 2:
        return None
    if tags.source.name not in LINES:
        return None
    place = tags.place.reshape(-1, *shape[-2:])
    channel = tags.channel.reshape(-1, *shape[-2:])
    by_row, by_column = _varies(place)
    channel_by_row, channel_by_column = _varies(channel)
    is_table = ~(by_row & by_column) & ~(channel_by_row & channel_by_column)
    is_table &= ~(by_row & channel_by_row) & ~(by_column & channel_by_column)
    has_one = ~(by_row | by_column) | ~(channel_by_row | channel_by_column)
    share = 1 - float((is_table | has_one).double().mean())
    if share < 0.5:
        return None
    return MixedRows(op=reader, fold=tags.fold, source=tags.source, share=share, shape=shape)


def _varies(tags: Tensor) -> tuple[Tensor, Tensor]:
    """Say for each matrix whether tags vary from row to row, and from column to column."""
    from_row = (tags != tags[:, :1, :]).flatten(1).any(1)
    from_column = (tags != tags[:, :, :1]).flatten(1).any(1)
    return from_row, from_column


def _is_of_two(index: int, read: dict[tuple[int, int], MixedRows]) -> bool:
    """Say whether both operands of a product are such: one alone may be heads laid into rows."""
    return sum(other == index for other, _ in read) > 1


def _joined(op: Op, num_samples: int) -> Iterator[MixedRows]:
    """Find rows that a layer reads as one token's features, and that are one head's of several.

    Each sample must have a matrix for each head: where heads share their keys, the rows of one
    matrix may be all heads' of a token.
    """
    shape = op.outputs[0].shape
    rows, features = shape[-2:]
    matrices = op.outputs[0].numel // max(1, rows * features)
    if rows < 3 or features < 2 or matrices < 2:
        return
    tags = torch.arange(op.outputs[0].numel, dtype=torch.int32).reshape(shape)
    matrix, row = tags // (rows * features), (tags // features).remainder(rows)
    for one in _followed(op, row, matrix):
        width = one.value.shape[-1] if one.value.shape else 0
        several = width // features
        is_whole = width % features == 0 and 1 < several < rows
        is_whole = is_whole and matrices % (several * num_samples) == 0
        readers = [r for r in one.value.consumers if r.name in LINES and one.value in r.inputs[:2]]
        if not readers or not is_whole or one.fold is None:
            continue
        place, channel = one.place.reshape(-1, width), one.channel.reshape(-1, width)
        is_one_head = (channel == channel[:, :1]).all(1)
        num_rows = (place[:, ::features] != place[:, :1]).sum(1)
        share = float((is_one_head & (num_rows == several - 1)).double().mean())
        if share > 0.5:
            yield MixedRows(
                op=readers[0], fold=one.fold, source=op, share=share, shape=one.value.shape
            )


def _normed(tags: _Tags, reader: Op) -> NormedPlaces | None:
    """Say whether a norm takes tokens' places for features: on axis 1, or LayerNorm on the last."""
    shape = tags.value.shape
    if reader.inputs[:1] != (tags.value,) or len(shape) != 3 or min(shape[1:]) < 2:
        return None
    if reader.name in (*NORMS, *NORMS_TOO):
        axis = 1
    elif reader.name == "native_layer_norm" and len(reader.argument("normalized_shape")) == 1:
        axis = 2
    else:
        return None
    place, channel = tags.place[0], tags.channel[0]
    if axis == 2:
        place, channel = place.T, channel.T
    is_place = bool((place == place[:, :1]).all()) and bool((place[:, 0] != place[0, 0]).any())
    is_feature = bool((channel == channel[:1]).all()) and bool((channel[0] != channel[0, 0]).any())
    if not is_place or not is_feature:
        return None
    return NormedPlaces(
        op=reader, source=tags.source, axis=axis, places=shape[axis], features=shape[3 - axis]
    )


def _crossed(tags: _Tags, reader: Op, maps: set[int]) -> CrossedGate | None:
    """Say whether features of a linear layer run along a side of a map that they are joined with.

    One number a feature, the same for all other axes but the samples', and a map with channels
    second of the same size.
    """
    shape = tags.value.shape
    if reader.name not in JOINS or tags.source.name not in LINES or len(shape) != 4:
        return None
    others = [v for v in reader.inputs if v is not tags.value and id(v) in maps]
    axes = [axis for axis in (1, 2, 3) if shape[axis] > 1]
    if not others or len(axes) != 1 or axes == [1]:
        return None
    if others[0].shape[1] < 2 or others[0].shape[axes[0]] != shape[axes[0]]:
        return None
    channel = tags.channel.movedim(axes[0], -1).reshape(-1, shape[axes[0]])[0]
    if len(channel.unique()) < shape[axes[0]]:
        return None
    return CrossedGate(op=reader, source=tags.source, axis=axes[0], shape=others[0].shape)
