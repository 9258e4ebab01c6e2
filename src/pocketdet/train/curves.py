"""The curves of a run: losses, average precision, learning rate."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pocketdet.train.atomic_file import write_atomically

PANELS = (
    ("loss", ("loss", "classification", "localization")),
    ("average precision", ("ap", "ap50")),
    ("learning rate", ("learning_rate",)),
)


def draw_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw a run's history, one row an epoch, as a PNG of three panels."""
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, names) in enumerate(PANELS, start=1):
        axes = figure.add_subplot(1, len(PANELS), place)
        _draw_panel(axes, history, names)
        axes.set_title(title)
        axes.set_xlabel("epoch")
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=100))


def _draw_panel(axes: Axes, history: Sequence[Mapping[str, float]], names: Sequence[str]) -> None:
    for name in names:
        points = [(row["epoch"], row[name]) for row in history if name in row]
        if points:
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, marker=".", label=name)
    if len(names) > 1 and axes.has_data():
        axes.legend(loc="upper right")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
