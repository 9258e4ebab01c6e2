"""The picture of a comparison: differences with their intervals, and AP by seed."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pocketdet.compare.comparison import Comparison


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Write a picture; its kind follows the suffix."""
    names = list(comparison.against[0].differences)
    figure = Figure(figsize=(11, max(4.0, 1.5 + 0.4 * len(names))), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_differences(left, comparison, names)
    _draw_seeds(right, comparison)
    figure.savefig(path, dpi=120)


def _draw_differences(axes: Any, comparison: Comparison, names: list[str]) -> None:
    number = len(comparison.against)
    for place, against in enumerate(comparison.against):
        shown = [name for name in names if name in against.differences]
        heights = [names.index(name) + 0.6 * (place + 0.5) / number - 0.3 for name in shown]
        found = [against.differences[name] for name in shown]
        values = [one.value for one in found]
        errors = [
            [one.value - one.low for one in found],
            [one.high - one.value for one in found],
        ]
        axes.errorbar(values, heights, xerr=errors, fmt="o", capsize=3, label=against.name)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"AP points against {comparison.contenders[0].name}")
    axes.legend()


def _draw_seeds(axes: Any, comparison: Comparison) -> None:
    places = range(len(comparison.contenders))
    for seed in range(comparison.num_seeds):
        axes.plot(places, [one.ap[seed] for one in comparison.contenders], "o-", label=f"{seed}")
    axes.set_xticks(places, [one.name for one in comparison.contenders])
    axes.set_ylabel("AP")
    axes.legend(title="seed")
