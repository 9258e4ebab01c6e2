"""What joining, cutting and laying out anew does to the labels of axes."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from pocketdet.compress.channels.joining import Arguments, argument, elementwise, with_axis
from pocketdet.compress.channels.labels import Places
from pocketdet.compress.channels.tracing import Axes, Trace


def concatenation(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    parts = [(part, trace.of(part)) for part in args[0]]
    axis = argument(args, 1, 0) % result.dim()
    places = list(elementwise(trace, parts, without=axis).places)
    if any(own.places[axis] is not None for _, own in parts):
        pieces: list[Places] = []
        for part, own in parts:
            piece = own.places[axis]
            if piece is None:
                piece = trace.labels.new(part.shape[axis])
                trace.fix([piece], "a concatenation with what has no labels")
            pieces.append(piece)
        places[axis] = np.concatenate(pieces)
    return Axes(places=tuple(places), is_zero=all(own.is_zero for _, own in parts))


def stack(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    parts = [(part, trace.of(part)) for part in args[0]]
    axis = argument(args, 1, 0) % result.dim()
    joined = elementwise(trace, parts)
    places = [*joined.places[:axis], None, *joined.places[axis:]]
    return Axes(places=tuple(places), is_zero=joined.is_zero)


def part(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    axis = argument(args, 1, 0) % args[0].dim()
    places, size = features.places[axis], args[0].shape[axis]
    if places is None or result.shape[axis] == size:
        return features
    first, last, step = argument(args, 2, 0) or 0, argument(args, 3, None), argument(args, 4, 1)
    last = size if last is None else last
    first, last = (min(size, value % size if value < 0 else value) for value in (first, last))
    if step != 1:
        trace.fix([places], "a slice with steps")
    for bound in (first, last):
        if 0 < bound < size:
            trace.cut(places, bound)
    return with_axis(features, axis, _piece(trace, places[first:last:step]))


def _piece(trace: Trace, places: Places) -> Places | None:
    """Give what is cut out; a single channel stays, for it meets others by broadcasting."""
    if len(places) > 1:
        return places
    trace.fix([places], "a single channel is cut out")
    return None


def split(trace: Trace, args: Arguments, result: Sequence[Tensor]) -> list[Axes]:
    features = trace.of(args[0])
    axis = argument(args, 2, 0) % args[0].dim()
    places = features.places[axis]
    outcome: list[Axes] = []
    first = 0
    for piece in result:
        last = first + piece.shape[axis]
        if places is not None and last < args[0].shape[axis]:
            trace.cut(places, last)
        own = None if places is None else _piece(trace, places[first:last])
        outcome.append(with_axis(features, axis, own))
        first = last
    return outcome


def one_place(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, axis = trace.of(args[0]), args[1] % args[0].dim()
    trace.fix([features.places[axis]], "a single place of an axis is read")
    places = features.places[:axis] + features.places[axis + 1 :]
    return Axes(places=places, is_zero=features.is_zero)


def permuted(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    places = tuple(features.places[axis] for axis in args[1])
    return Axes(places=places, is_zero=features.is_zero)


def swapped(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    one, other = args[1:3] if len(args) > 2 else (0, -1)
    places = list(features.places)
    if len(places) > 1:
        places[one], places[other] = places[other], places[one]
    return Axes(places=tuple(places), is_zero=features.is_zero)


def reshaped(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Keep an axis that has as many places, and as many values before it, as it had."""
    features = trace.of(args[0])
    before, after = list(args[0].shape), list(result.shape)
    places: list[Places | None] = [None] * len(after)
    for axis, own in enumerate(features.places):
        if own is None:
            continue
        found = [
            place
            for place, size in enumerate(after)
            if size == len(own) and prod(after[:place]) == prod(before[:axis])
        ]
        if found:
            places[found[0]] = own
        else:
            trace.fix([own], "channels are laid out anew")
    return Axes(places=tuple(places), is_zero=features.is_zero)


def unsqueezed(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, axis = trace.of(args[0]), args[1] % result.dim()
    places = (*features.places[:axis], None, *features.places[axis:])
    return Axes(places=places, is_zero=features.is_zero)


def expanded(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    missing = result.dim() - args[0].dim()
    return Axes(places=(*(None,) * missing, *features.places), is_zero=features.is_zero)


def pixel_shuffle(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Channels that become places of one channel stay together."""
    features = trace.of(args[0])
    channels = features.places[-3]
    if channels is not None:
        for group in channels.reshape(-1, args[1] ** 2):
            trace.labels.join_all(group)
        channels = channels[:: args[1] ** 2] if result.shape[-3] > 1 else None
        if channels is None:
            trace.fix(features.places, "channels become places")
    return with_axis(features, -3, channels)


def nothing(trace: Trace, args: Arguments, result: Any) -> None:
    """Make something new from no values."""
