"""Two cards, field by field: what is fed, what comes out, and how it is read."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pocketdet.runtime import (
    BoxOutputs,
    Card,
    CellOutputs,
    DetectionRows,
    FileOutputs,
    PriorOutputs,
)


@dataclass(frozen=True, kw_only=True)
class CardDifference:
    """A field that two cards have different, with the sentence that says what it does."""

    field: str
    first: Any
    second: Any
    says: str

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def card_differences(first: Card, second: Card) -> list[CardDifference]:
    """Give the fields that make two detectors different ones; none for two of the same.

    Where the runtime, the precision and what lies inside the file differ, nothing is wrong.
    """
    return [*_of_input(first, second), *_of_classes(first, second), *_of_reading(first, second)]


def _of_input(first: Card, second: Card) -> Iterator[CardDifference]:
    mine, other = asdict(first.contract), asdict(second.contract)
    effects = {
        "channel_order": "red and blue change places",
        "mean": "every channel is shifted",
        "scale": "every channel is stretched",
        "resize": "boxes lie elsewhere in the input",
        "interpolation": "pictures are resized by another convention",
        "height": "the inputs are of different sizes",
        "width": "the inputs are of different sizes",
    }
    for name, value in mine.items():
        if value != other[name]:
            says = f"`{name}` is {_short(value)} in A and {_short(other[name])} in B: "
            yield _difference(name, value, other[name], says + effects[name])


def _of_classes(first: Card, second: Card) -> Iterator[CardDifference]:
    mine, other = list(first.classes), list(second.classes)
    if mine == other:
        return
    says = f"the class lists differ: {', '.join(mine)} in A and {', '.join(other)} in B"
    turned = [n for n in range(1, len(mine)) if mine[n:] + mine[:n] == other]
    if turned:
        says = f"`classes` of B are those of A rotated by {turned[0]}: {', '.join(other)}"
    elif sorted(mine) == sorted(other):
        says = f"`classes` of B are those of A in another order: {', '.join(other)}"
    yield _difference("classes", mine, other, says)


def _of_reading(first: Card, second: Card) -> Iterator[CardDifference]:
    for name, value in asdict(first.detection).items():
        other = getattr(second.detection, name)
        if value != other:
            yield _difference(name, value, other, f"`{name}` is {value:g} in A and {other:g} in B")
    yield from _of_outputs(first.outputs, second.outputs)


def _of_outputs(first: FileOutputs, second: FileOutputs) -> Iterator[CardDifference]:
    match first, second:
        case PriorOutputs() as mine, PriorOutputs() as other:
            yield from _of_priors(mine, other)
        case CellOutputs() as mine, CellOutputs() as other:
            for name in ("num_bins", "lowest"):
                value, its = getattr(mine, name), getattr(other, name)
                if value != its:
                    yield _difference(name, value, its, f"`{name}` is {value} in A and {its} in B")
            yield from _of_places(mine, other)
        case (BoxOutputs() | DetectionRows(), _) | (_, BoxOutputs() | DetectionRows()):
            return  # decoded inside: nothing is stated that could differ
        case mine, other:
            kinds = type(mine).__name__, type(other).__name__
            yield _difference("kind", *kinds, f"A states boxes as {kinds[0]}, B as {kinds[1]}")


def _of_priors(mine: PriorOutputs, other: PriorOutputs) -> Iterator[CardDifference]:
    if mine.variances != other.variances:
        says = f"`variances` are {_short(mine.variances)} in A and {_short(other.variances)} in B"
        if mine.variances == other.variances[2:] + other.variances[:2]:
            says += ": those of centres and sizes are swapped"
        yield _difference("variances", mine.variances, other.variances, says)
    if mine.largest_growth != other.largest_growth:
        yield _difference(
            "largest_growth",
            mine.largest_growth,
            other.largest_growth,
            f"`largest_growth` is {mine.largest_growth:g} in A, {other.largest_growth:g} in B",
        )
    yield from _of_places(mine, other)


def _of_places(
    mine: PriorOutputs | CellOutputs, other: PriorOutputs | CellOutputs
) -> Iterator[CardDifference]:
    first, second = np.array(mine.places_cxcywh), np.array(other.places_cxcywh)
    if first.shape != second.shape:
        says = f"A has {len(first)} places and B has {len(second)}"
        yield _difference("places_cxcywh", len(first), len(second), says)
    elif not np.allclose(first, second, atol=1e-3):
        rows = np.abs(first - second).max(axis=1)
        says = (
            f"`places_cxcywh` differ in {int((rows > 1e-3).sum()):,} of {len(rows):,} rows, "
            f"by up to {rows.max():.1f} px"
        )
        yield _difference("places_cxcywh", len(first), len(second), says)


def _difference(field: str, first: Any, second: Any, says: str) -> CardDifference:
    return CardDifference(field=field, first=first, second=second, says=says)


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "(" + ", ".join(f"{number:g}" for number in value) + ")"
    return str(value)
