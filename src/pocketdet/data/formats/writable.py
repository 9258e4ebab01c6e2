"""The boxes of a sample that a file can hold, as plain numbers."""

from collections.abc import Iterator
from typing import NamedTuple

from pocketdet.conventions import Sample
from pocketdet.data.formats.losses import Losses

NOT_A_NUMBER = "boxes have a coordinate that is no number and were left out"
UNKNOWN_CLASS = "boxes have a class outside the class list and were left out"


class WritableBox(NamedTuple):
    """One box in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: int
    difficult: bool
    crowd: bool


def writable_boxes(sample: Sample, *, num_classes: int, losses: Losses) -> list[WritableBox]:
    """Give the boxes with finite coordinates and a known class, and count the others."""
    finite = sample.boxes_xyxy.isfinite().all(dim=1)
    known = (sample.labels >= 0) & (sample.labels < num_classes)
    losses.add(NOT_A_NUMBER, int((~finite).sum()))
    losses.add(UNKNOWN_CLASS, int((finite & ~known).sum()))
    return list(_boxes(sample.keep(finite & known)))


def _boxes(sample: Sample) -> Iterator[WritableBox]:
    rows = zip(
        sample.boxes_xyxy.tolist(),
        sample.labels.tolist(),
        sample.difficult.tolist(),
        sample.crowd.tolist(),
        strict=True,
    )
    for (x1, y1, x2, y2), label, difficult, crowd in rows:
        yield WritableBox(x1, y1, x2, y2, label, difficult, crowd)


def decimal(value: float) -> str:
    """Write a number with up to 4 decimals, none where they are zero."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
