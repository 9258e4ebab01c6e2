"""What `pocketdet compare` prints."""

import json
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.compare.comparison import Against, Comparison, Contender
from pocketdet.compare.interval import Difference

WIDTH = 80
MOST_CLASSES = 12


def show_comparison(comparison: Comparison, out: Path, *, as_json: bool = False) -> None:
    """Print the table and the verdicts, or one JSON document."""
    terminal = Console(highlight=False)
    console = Console(highlight=False, width=terminal.width if terminal.is_terminal else WIDTH)
    if as_json:
        text = json.dumps(comparison.to_data(), indent=2)
        console.print(text, soft_wrap=True, markup=False)
        return
    console.print(_configs(comparison))
    console.print()
    console.print(_differences(comparison))
    console.print()
    for against in comparison.against:
        console.print(f"[bold]{escape(comparison.sentence(against))}[/]", soft_wrap=True)
    console.print(_notes(comparison), soft_wrap=True)
    console.print(f"Everything is in {escape(str(out))}", soft_wrap=True)


def _configs(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("AP", "AP50", "by seed", "parameters", "M MACs", "ms"):
        table.add_column(column, justify="right")
    for one in comparison.contenders:
        is_best = one.name == comparison.best
        table.add_row(*_config_cells(one, is_best=is_best), style="bold" if is_best else "")
    return table


def _config_cells(one: Contender, *, is_best: bool) -> tuple[str, ...]:
    latency = one.cost.latency
    return (
        escape(one.name) + (" (best)" if is_best else ""),
        f"{mean(one.ap):.1f}",
        f"{mean(one.ap50):.1f}",
        " ".join(f"{value:.1f}" for value in one.ap),
        f"{one.cost.parameters:,}",
        f"{one.cost.macs / 1e6:.0f}",
        "" if latency is None else f"{latency.median_ms:.1f}",
    )


def _differences(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"against {escape(comparison.contenders[0].name)}")
    for against in comparison.against:
        table.add_column(escape(against.name), justify="right")
    names = list(comparison.against[0].differences)
    for name in names[: 2 + MOST_CLASSES]:
        cells = [_interval(against, name) for against in comparison.against]
        table.add_row(escape(name), *cells)
    if len(names) > 2 + MOST_CLASSES:
        table.add_row(f"… {len(names) - 2 - MOST_CLASSES} more classes in comparison.json")
    return table


def _interval(against: Against, name: str) -> str:
    found: Difference | None = against.differences.get(name)
    if found is None:
        return ""
    return f"{found.value:+.1f} \\[{found.low:+.1f}, {found.high:+.1f}]" + (
        " *" if found.is_shown else ""
    )


def _notes(comparison: Comparison) -> str:
    lines = [
        f"{comparison.num_seeds} of at most {comparison.planned_seeds} seeds, "
        f"{comparison.num_images} images, {comparison.minutes:.1f} minutes; ended: "
        f"{comparison.reason}.",
        f"Intervals are of {100 * (1 - comparison.level):.1f} %, so that over all looks and pairs "
        "a false claim has a chance of at most 5 %; * excludes zero. Classes are not corrected "
        "for their number.",
    ]
    for one in comparison.contenders:
        if one.diverged:
            seeds = ", ".join(str(seed) for seed in one.diverged)
            lines.append(
                f"{escape(one.name)} diverged with seed {seeds}; its AP there counts as 0."
            )
    return "\n".join(lines)
