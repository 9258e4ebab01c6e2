"""The text of `pocketdet compress`, for people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.compress.report import COLUMNS, CompressionReport


def show_compression(report: CompressionReport) -> None:
    """Print the table before and after, what was given up, and where the files are."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for cells in report.table():
        table.add_row(*cells)
    console.print(table)
    console.print(report.timing)
    for name, (heads, rows) in report.short_tables.items():
        _show_decisions(console, name, heads, rows)
    for step in report.steps:
        for text in step.said["given_up"]:
            console.print(f"{step.name}: {escape(text)}", soft_wrap=True)
    console.print(f"Everything is in {escape(report.folder)}", soft_wrap=True)


def _show_decisions(
    console: Console, name: str, heads: list[str], rows: list[tuple[str, ...]]
) -> None:
    table = Table(box=None, pad_edge=False, title=name, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", overflow="fold")
    for cells in rows:
        table.add_row(*map(escape, cells))
    console.print()
    console.print(table)
