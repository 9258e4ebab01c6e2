"""The picture of a bench: times with their spread, and candidates under the roofline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pocketdet.bench.report import BenchReport, Row

COLOURS = {"fp32": "#3b6fb6", "fp16": "#7b5ea7", "int8": "#c8622d"}
WIDE = 20
"""Slowest over fastest from which on times are drawn on a logarithmic axis."""

INK, FAINT = "#1f2933", "#c3cbd3"


def draw_bench(report: BenchReport, path: Path) -> None:
    """Write a PNG or SVG: left, times with p10 to p90 and the least time; right, the roofline."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in report.rows if row.measured.timing is not None]
    figure = Figure(figsize=(13, 1.9 + 0.34 * max(len(rows), 5)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    times, roof = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _draw_times(times, rows)
    _draw_roofline(roof, rows, report)
    trusted = "" if not report.disturbance.reasons else "; NOT TO BE TRUSTED: the machine was busy"
    figure.suptitle(f"{report.machine}{trusted}", fontsize=10, color=INK)
    figure.savefig(path)


def label_of(row: Row) -> str:
    """Name a row: model, way, precision, size, threads."""
    candidate = row.candidate
    threads = f"{candidate.threads} thread" + ("s" if candidate.threads > 1 else "")
    name = Path(candidate.model).name
    size = f"{candidate.height}×{candidate.width}"
    return f"{name} · {candidate.way} {candidate.precision} · {size} · {threads}"


def _draw_times(axes: Any, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        timing = row.measured.timing
        assert timing is not None
        colour = COLOURS.get(row.candidate.precision, COLOURS["fp32"])
        axes.barh(place, timing.median_ms, color=colour, alpha=0.85, height=0.7)
        axes.plot([timing.p10_ms, timing.p90_ms], [place, place], color=INK, lw=1.6)
        if row.least_ms is not None:
            axes.plot([row.least_ms] * 2, [place - 0.35, place + 0.35], color="black", lw=2)
        axes.annotate(
            f" {timing.median_ms:.1f}",
            (max(timing.median_ms, timing.p90_ms), place),
            va="center",
            fontsize=8,
        )
    medians = [row.measured.timing.median_ms for row in rows if row.measured.timing]
    if medians and max(medians) > WIDE * min(medians):
        axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [label_of(row) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("ms a picture: median, line from p10 to p90; black mark: least time possible")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_roofline(axes: Any, rows: Sequence[Row], report: BenchReport) -> None:
    intensities = [2.0**power for power in range(-1, 10)]
    for threads, rates in report.rates.items():
        for precision, int8 in (("fp32", False), ("int8", True)):
            if not any(_is_under(row, precision, threads) for row in rows):
                continue
            memory = max(rate for _, rate in rates.memory)
            top = rates.macs_a_second(int8=int8)
            roof = [min(top, memory * intensity) / 1e9 for intensity in intensities]
            style = "-" if threads == 1 else "--"
            axes.plot(intensities, roof, style, color=COLOURS[precision], lw=1.2)
    for row in rows:
        if row.macs_a_second is not None:
            axes.scatter(
                row.candidate.macs / row.candidate.num_bytes(),
                row.macs_a_second / 1e9,
                color=COLOURS.get(row.candidate.precision, COLOURS["fp32"]),
                marker="o" if row.candidate.threads == 1 else "s",
                edgecolors="white",
                zorder=3,
            )
    axes.set(xscale="log", yscale="log", xlabel="MACs a byte moved", ylabel="GMAC a second")
    axes.grid(color=FAINT, lw=0.5)
    axes.set_title("roofline: fp32 blue, int8 orange; more threads dashed", fontsize=9)


def _is_under(row: Row, precision: str, threads: int) -> bool:
    candidate = row.candidate
    return candidate.threads == threads and candidate.computes_int8 == (precision == "int8")
