"""What rules are made of: axes that meet, that go, and that are counted."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from pocketdet.compress.channels.labels import Places
from pocketdet.compress.channels.tracing import Axes, Product, Trace

Arguments = tuple[Any, ...]


def argument(args: Arguments, place: int, default: Any) -> Any:
    """Give an argument by its place, or its default."""
    return args[place] if len(args) > place else default


def elementwise(
    trace: Trace, operands: Sequence[tuple[Any, Axes | None]], *, without: int | None = None
) -> Axes:
    """Join the axes of operands that meet, aligned at their ends as broadcasting does."""
    known = [
        (axes or trace.of(tensor), None if tensor is None else tuple(tensor.shape))
        for tensor, axes in operands
        if axes is not None or isinstance(tensor, Tensor)
    ]
    plain = len(operands) - len(known)
    most = max(len(axes.places) for axes, _ in known)
    places: list[Places | None] = [None] * most
    for back in range(1, most + 1):
        if without is not None and most - back == without:
            continue
        here = [
            (a.places[-back], s[-back] if s else None) for a, s in known if len(a.places) >= back
        ]
        labelled = [own for own, _ in here if own is not None]
        if not labelled:
            continue
        places[-back] = labelled[0]
        for own in labelled[1:]:
            trace.labels.join(labelled[0], own)
        if any(own is None and size == len(labelled[0]) for own, size in here):
            trace.fix(labelled, "values that belong to no channel")
    joined = Axes(places=tuple(places))
    zero = not plain and all(axes.is_zero and covers(axes, joined) for axes, _ in known)
    return Axes(places=joined.places, is_zero=zero)


def covers(axes: Axes, joined: Axes) -> bool:
    """Say whether a tensor has labels wherever the result has."""
    own = (*(None,) * (len(joined.places) - len(axes.places)), *axes.places)
    return all(b is None or a is not None for a, b in zip(own, joined.places, strict=True))


def join(trace: Trace, one: Places | None, other: Places | None, where: str) -> None:
    """Make two axes of one length the same; what has no labels keeps the other one whole."""
    if one is None or other is None or len(one) != len(other):
        trace.fix([one, other], f"{where} of what has no labels")
    else:
        trace.labels.join(one, other)


def count(trace: Trace, factor: int, sizes: Sequence[int], places: Sequence[Places | None]) -> None:
    """Note a product of these sizes, whose cost falls with each labelled axis."""
    fixed = prod(size for size, own in zip(sizes, places, strict=True) if own is None)
    axes = tuple(own for own in places if own is not None)
    trace.products.append(Product(factor=factor * fixed, axes=axes))


def with_axis(axes: Axes, axis: int, places: Places | None) -> Axes:
    """Give the same axes but one."""
    changed = list(axes.places)
    changed[axis] = places
    return Axes(places=tuple(changed), is_zero=axes.is_zero)


def axes_of(tensor: Tensor, given: Any) -> list[int]:
    """Give the axes that an operator's argument means, from 0 on; None or none means all."""
    if given is None or given == []:
        return list(range(tensor.dim()))
    return [axis % tensor.dim() for axis in (given if isinstance(given, list) else [given])]


def reduced(features: Axes, axes: Sequence[int], *, keep: bool) -> Axes:
    """Take axes away, or leave them with one place."""
    places = [None if n in axes else own for n, own in enumerate(features.places)]
    if not keep:
        places = [own for n, own in enumerate(places) if n not in axes]
    return Axes(places=tuple(places), is_zero=features.is_zero)
