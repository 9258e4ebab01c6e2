"""Precision against recall, drawn."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

from pocketdet.evaluate.evaluation import Evaluation
from pocketdet.predict.colours import class_colour

MOST_NAMED_CLASSES = 20


def draw_pr_curves(evaluation: Evaluation) -> Figure:
    """Plot each class's curve and their mean, at IoU .5 and .75."""
    figure = Figure(figsize=(12, 5.5), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2, sharey=True)
    curves = evaluation.curves
    _draw_one(left, curves.recall, curves.at_50, evaluation)
    _draw_one(right, curves.recall, curves.at_75, evaluation)
    left.set_title(f"IoU .50, AP {_percent(evaluation.ap50)}")
    right.set_title(f"IoU .75, AP {_percent(evaluation.ap75)}")
    left.set_ylabel("precision")
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return figure


def _draw_one(
    axes: Axes, recall: NDArray[Any], precision: NDArray[Any], evaluation: Evaluation
) -> None:
    many = len(evaluation.classes) > MOST_NAMED_CLASSES
    scored = ~np.isnan(precision).all(axis=1)
    for label in np.flatnonzero(scored):
        axes.plot(
            recall,
            precision[label],
            color=[channel / 255 * 0.85 for channel in class_colour(int(label))],
            linewidth=0.8 if many else 1.4,
            alpha=0.5 if many else 1.0,
            label=None if many else evaluation.classes[label].name,
        )
    if scored.any():
        mean = precision[scored].mean(axis=0)
        axes.plot(recall, mean, color="black", linewidth=2.4, label=f"mean of {scored.sum()}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.grid(alpha=0.3)


def _percent(value: float) -> str:
    return "not scored" if np.isnan(value) else f"{100 * value:.1f}"
