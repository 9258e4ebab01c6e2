"""Which class is taken for which."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray
import torch

from pocketdet.conventions import ClassList, Detections, Sample, pairwise_iou

MOST_CLASSES_WITH_COUNTS = 25


def confusion_matrix(
    detections: Sequence[Detections],
    samples: Sequence[Sample],
    classes: ClassList,
    *,
    score: float = 0.25,
    iou_threshold: float = 0.5,
) -> NDArray[Any]:
    """Count (c + 1, c + 1) pairs of true class (row) and detected class (column).

    The last row and column are the background: a box without a detection, a detection without
    a box. Detections that score at least `score` are paired with boxes that they overlap by
    `iou_threshold`, one to one; a pair of the same class goes first, then the larger overlap.
    Difficult and crowd boxes, and what is paired with them, are not counted.
    """
    background = len(classes)
    counts = np.zeros((background + 1, background + 1), dtype=np.int64)
    for found, sample in zip(detections, samples, strict=True):
        found = found.to("cpu").above(score)
        true, detected = sample.labels.numpy(), found.labels.numpy()
        box_of = _pair(found, sample, iou_threshold)
        counted = ~(sample.difficult | sample.crowd).numpy()
        for label, box in zip(detected, box_of, strict=True):
            if box < 0 or counted[box]:
                counts[background if box < 0 else true[box], label] += 1
        missed = counted & ~np.isin(np.arange(len(true)), box_of)
        counts[:, background] += np.bincount(true[missed], minlength=background + 1)
    return counts


def draw_confusion(counts: NDArray[Any], classes: ClassList) -> Figure:
    """Plot a confusion matrix: shades are shares of the row, figures are counts."""
    names = [*classes, "background"]
    side = min(max(4.5, 1.8 + 0.42 * len(names)), 24)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    letters = 9 if len(names) <= MOST_CLASSES_WITH_COUNTS else 6
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=letters)
    axes.set_yticks(range(len(names)), names, fontsize=letters)
    axes.set_xlabel("detected as")
    axes.set_ylabel("labelled as")
    axes.axhline(len(classes) - 0.5, color="grey", linewidth=0.8)
    axes.axvline(len(classes) - 0.5, color="grey", linewidth=0.8)
    figure.colorbar(shades, label="share of the row", shrink=0.8)
    if len(names) <= MOST_CLASSES_WITH_COUNTS:
        for row, column in np.argwhere(counts > 0):
            shade = "white" if shares[row, column] > 0.5 else "black"
            count = f"{counts[row, column]:,}"
            axes.text(column, row, count, ha="center", va="center", color=shade, fontsize=8)
    return figure


def _pair(found: Detections, sample: Sample, iou_threshold: float) -> NDArray[Any]:
    """Give the place of each detection's box, or -1."""
    box_of = np.full(len(found), -1)
    iou = pairwise_iou(found.boxes_xyxy.double(), sample.boxes_xyxy.double())
    pairs = (iou >= iou_threshold).nonzero()
    same = found.labels[pairs[:, 0]] == sample.labels[pairs[:, 1]]
    order = torch.argsort(same + iou[pairs[:, 0], pairs[:, 1]] / 2, descending=True, stable=True)
    taken: set[int] = set()
    for detection, box in pairs[order].tolist():
        if box_of[detection] < 0 and box not in taken:
            box_of[detection] = box
            taken.add(box)
    return box_of
