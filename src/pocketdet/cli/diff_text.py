"""What `pocketdet diff` prints."""

from collections.abc import Callable
import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.edit import EditReport, TransferPlan
from pocketdet.edit.comparison import BlockRow, BlockSide
from pocketdet.edit.fate_rows import transfer_text
from pocketdet.requests.edit import DiffRequest

STYLES = {"same": "dim", "changed": "yellow", "added": "green", "removed": "red"}
WIDTH = 150
Write = Callable[[BlockSide], str]


def show_diff(
    request: DiffRequest, report: EditReport, plan: TransferPlan, *, as_json: bool = False
) -> None:
    """Print the report, as text or as one JSON document."""
    terminal = Console(highlight=False)
    console = Console(highlight=False, width=terminal.width if terminal.is_terminal else WIDTH)
    if as_json:
        data = {**report.to_data(), "transfer": plan.to_data()}
        console.print(json.dumps(data, indent=2), soft_wrap=True, markup=False)
        return
    console.print(f"[bold]{escape(request.base)} → {escape(request.altered)}[/]")
    if not report.changes:
        console.print("  The two configs are the same.")
    for change in report.changes:
        console.print(f"  {escape(str(change))}", soft_wrap=True)
    console.print()
    console.print(_table(report))
    if request.rounds:
        console.print(
            f"Milliseconds on this CPU ({report.num_threads} threads, one picture): median and "
            f"middle half of {request.rounds} calls; all blocks in turns, before and after."
        )
    console.print()
    console.print(transfer_text(plan), soft_wrap=True, markup=False)
    if request.weights is None:
        console.print("  (What trained weights of the base would give; --weights takes them.)")
    for path in (*request.pictures, *([request.out] if request.out else [])):
        console.print(f"Written: {path}", soft_wrap=True, markup=False)


def _table(report: EditReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("block", no_wrap=True)
    table.add_column("")
    table.add_column("maps")
    for column in ("parameters", "M MACs", "MB written", "ms before", "ms after"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in (*report.rows, report.whole):
        style = "bold" if row.role == "whole" else STYLES[row.fate]
        table.add_row(*_cells(row), style=style)
    return table


def _cells(row: BlockRow) -> tuple[str, ...]:
    before, after = row.before, row.after
    known = after or before
    assert known is not None
    maps = "" if row.role == "whole" else ", ".join(f"{c}×{h}×{w}" for c, h, w in known.maps[:2])
    maps += f" +{len(known.maps) - 2}" if len(known.maps) > 2 else ""
    return (
        _name(row),
        row.fate,
        maps,
        _both(before, after, lambda side: f"{side.cost.parameters:,}"),
        _both(before, after, lambda side: f"{side.cost.macs / 1e6:,.1f}"),
        _both(before, after, lambda side: f"{side.cost.activation_bytes / 1e6:,.2f}"),
        _milliseconds(before),
        _milliseconds(after),
    )


def _name(row: BlockRow) -> str:
    if row.before is not None and row.after is not None and row.before.name != row.after.name:
        return f"{row.before.name} → {row.after.name}"
    known = row.after or row.before
    return "" if known is None else known.name


def _both(before: BlockSide | None, after: BlockSide | None, write: Write) -> str:
    texts = [write(side) for side in (before, after) if side is not None]
    return texts[0] if len(texts) == 2 and texts[0] == texts[1] else " → ".join(texts)


def _milliseconds(side: BlockSide | None) -> str:
    if side is None or side.cost.latency is None:
        return ""
    latency = side.cost.latency
    return f"{latency.median_ms:.1f} ({latency.low_ms:.1f} to {latency.high_ms:.1f})"
