"""A picture of a search: AP against time, all trials, the front, and the uniform setting."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def front(figures: Sequence[Mapping[str, float]]) -> list[int]:
    """Give the places of the trials that no other beats in both AP and time, fastest first."""
    order = sorted(
        range(len(figures)), key=lambda i: (figures[i]["milliseconds"], -figures[i]["ap"])
    )
    best, chosen = float("-inf"), list[int]()
    for place in order:
        if figures[place]["ap"] > best:
            best = figures[place]["ap"]
            chosen.append(place)
    return chosen


def draw_search(
    figures: Sequence[Mapping[str, float]], uniform: int | None, winner: int, file: Path
) -> None:
    """Draw what was measured of each trial, as PNG; `uniform` and `winner` are places in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    times = [entry["milliseconds"] for entry in figures]
    scores = [100 * entry["ap"] for entry in figures]
    axes.scatter(times, scores, color="tab:grey", s=18, label="trials")
    best = front(figures)
    axes.plot([times[i] for i in best], [scores[i] for i in best], color="tab:blue", label="front")
    marks = [("uniform", uniform, "s", "tab:orange"), ("chosen", winner, "*", "tab:red")]
    for name, place, marker, colour in marks:
        if place is not None:
            axes.scatter(times[place], scores[place], marker=marker, color=colour, s=90, label=name)
    axes.set_xlabel("measured time of one picture [ms]")
    axes.set_ylabel("AP after the trial's fine-tuning")
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
