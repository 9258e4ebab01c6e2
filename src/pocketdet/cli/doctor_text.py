"""What `pocketdet doctor` prints; colours only on a terminal."""

import json
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pocketdet.doctor import ALL_CHECKS, Report
from pocketdet.doctor.explain import find_check, page_of
from pocketdet.runs.examination import UnsoundDetector

STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan", "crashed": "red"}


def print_report(report: Report) -> None:
    """Print a report, its severities in colour."""
    console = Console(highlight=False)
    for line in str(report).splitlines():
        word = line.partition("[")[0]
        style = STYLES.get(word)
        console.print(
            Text.assemble((word, style), line[len(word) :]) if style else Text(line), soft_wrap=True
        )


def show_unsound(unsound: UnsoundDetector) -> None:
    """Print why a training was not begun, and what can be done."""
    if unsound.report is None:
        return  # another process speaks
    print_report(unsound.report)
    sys.stderr.write(
        f"pocketdet: {unsound} Mend it, or train all the same with --force, or without the doctor "
        "with --doctor off.\n"
    )


def print_checks(*, as_json: bool) -> None:
    """Print every check with what it finds."""
    rows = [(c.id, c.severity.value, c.stage.title, c.summary) for c in ALL_CHECKS]
    if as_json:
        names = ("check", "severity", "stage", "summary")
        Console().print_json(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("check", "severity", "stage", "finds"):
        table.add_column(title, no_wrap=title == "check")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def print_explanation(name: str) -> None:
    """Print a check's documentation."""
    Console(highlight=False).print(Text(page_of(find_check(name))), soft_wrap=True)
