"""What a compression brought, as data and as a page to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pocketdet.compress.figures import Figures

COLUMNS = ("", "AP", "AP50", "parameters", "M MACs", "KB", "ms", "p10–p90", "faster")


FEW = 12
"""Decisions of a step that a terminal shows; all are in report.md."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step: what it said of itself (`StepResult.to_data`), and the detector after it."""

    name: str
    said: Mapping[str, Any]
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class CompressionReport:
    """All steps in their order, and the detector before them."""

    folder: str
    asked: Mapping[str, Any]
    start: Figures
    steps: tuple[StepReport, ...]

    def to_data(self) -> dict[str, Any]:
        """Give plain data that JSON can hold."""
        return {
            "folder": self.folder,
            "asked": dict(self.asked),
            "start": self.start.to_data(),
            "steps": [
                {"name": step.name, **step.said, "after": step.figures.to_data()}
                for step in self.steps
            ],
        }

    def table(self) -> list[tuple[str, ...]]:
        """Give the rows under `COLUMNS`: before the first step, and after each."""
        rows = [("start", self.start), *((step.name, step.figures) for step in self.steps)]
        return [_cells(name, figures, self.start) for name, figures in rows]

    @property
    def timing(self) -> str:
        """Say how the milliseconds were measured."""
        latency = self.start.latency
        return (
            f"One picture at once by {latency.runtime}, {latency.threads} thread(s): the median of "
            f"{latency.runs} runs in turn, and their first and last decile."
        )

    @property
    def short_tables(self) -> dict[str, tuple[list[str], list[tuple[str, ...]]]]:
        """Give the decisions of steps that made few, by the step's name: heads and rows."""
        return {
            step.name: _rows_of(step.said)
            for step in self.steps
            if 0 < len(step.said["rows"]) <= FEW
        }

    def to_markdown(self) -> str:
        """Write the page `report.md`."""
        parts = [
            f"# {self.asked['run']}, compressed",
            f"AP on {self.asked['data']}, {self.asked['split_val']}. {self.timing}",
            _markdown_table(COLUMNS, self.table()),
        ]
        for step in self.steps:
            parts.append(f"## {step.name} ({step.said['seconds']:g} s)")
            parts += _said(step.said)
        return "\n\n".join(parts) + "\n"


def _cells(name: str, figures: Figures, start: Figures) -> tuple[str, ...]:
    latency = figures.latency
    return (
        name,
        f"{100 * figures.ap:.1f}",
        f"{100 * figures.ap50:.1f}",
        f"{figures.parameters:,}",
        f"{figures.macs / 1e6:.1f}",
        f"{figures.file_bytes / 1024:,.0f}",
        _short(latency.median),
        f"{_short(latency.p10)}–{_short(latency.p90)}",
        f"{start.latency.least / latency.least:.2f}×",
    )


def _short(milliseconds: float) -> str:
    """Write a time with three digits."""
    return f"{milliseconds:.{max(0, 3 - len(str(int(milliseconds))))}f}"


def _said(said: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    if said["figures"]:
        parts.append("\n".join(f"- {name}: {_shown(v)}" for name, v in said["figures"].items()))
    if said["given_up"]:
        parts.append("Given up:\n\n" + "\n".join(f"- {text}" for text in said["given_up"]))
    if said["rows"]:
        parts.append(_markdown_table(*_rows_of(said)))
    return parts


def _rows_of(said: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, ...]]]:
    names = list(dict.fromkeys(name for row in said["rows"] for name in row))
    rows = [tuple(_shown(row.get(name, "")) for name in names) for row in said["rows"]]
    return names, rows


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
