"""What operators on values, over places and over axes do to the labels of axes."""

from typing import Any

from torch import Tensor

from pocketdet.compress.channels.joining import (
    Arguments,
    argument,
    axes_of,
    covers,
    elementwise,
    reduced,
)
from pocketdet.compress.channels.tracing import Axes, Trace


def sums(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Join the terms of a sum or difference: it is zero where all of them are."""
    return elementwise(trace, [(value, None) for value in args[:2]])


def products(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Zero where one factor is that has all of the result's labels."""
    joined = elementwise(trace, [(value, None) for value in args[:2]])
    factors = [trace.of(value) for value in args[:2] if isinstance(value, Tensor)]
    return Axes(places=joined.places, is_zero=any(f.is_zero and covers(f, joined) for f in factors))


def quotients(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    joined = elementwise(trace, [(value, None) for value in args[:2]])
    above = trace.of(args[0])
    return Axes(places=joined.places, is_zero=above.is_zero and covers(above, joined))


def power(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    exponent = args[1]
    is_positive = isinstance(exponent, int | float) and exponent > 0
    features = trace.of(args[0])
    return Axes(places=features.places, is_zero=features.is_zero and is_positive)


def keeps_zero(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Works on each value alone and leaves zero as it is."""
    return trace.of(args[0])


def moves_zero(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Works on each value alone; zero becomes something else."""
    return Axes(places=trace.of(args[0]).places, is_zero=False)


def spatial(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Pooling, resizing, padding: within each channel."""
    features = trace.of(args[0])
    first = result[0] if isinstance(result, tuple) else result
    same = [a == b for a, b in zip(args[0].shape, first.shape, strict=True)]
    trace.fix([p for p, kept in zip(features.places, same, strict=True) if not kept], "resizing")
    kept = tuple(p if s else None for p, s in zip(features.places, same, strict=True))
    return Axes(places=kept, is_zero=features.is_zero)


def total(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Take a sum over axes, over labelled ones only of what is zero there."""
    features = trace.of(args[0])
    axes = axes_of(args[0], argument(args, 1, None))
    if not features.is_zero:
        trace.fix([features.places[axis] for axis in axes], "a sum over channels")
    return reduced(features, axes, keep=bool(argument(args, 2, False)))


def mean(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Take a mean, maximum or variance, which a missing channel would change."""
    features = trace.of(args[0])
    axes = axes_of(args[0], argument(args, 1, None))
    trace.fix([features.places[axis] for axis in axes], "a mean or maximum over channels")
    return reduced(features, axes, keep=bool(argument(args, 2, False)))


def softmax(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    trace.fix([features.places[args[1]]], "a softmax over channels")
    return Axes(places=features.places, is_zero=False)
