"""The text of `pocketdet data check`, for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.data.checking.check_report import by_kind, is_healthy, split_sizes
from pocketdet.data.dataset import Dataset
from pocketdet.data.problem import Problem, ProblemKind


def show_check(dataset: Dataset, problems: Sequence[Problem], *, num_examples: int) -> None:
    """Print what was read, a table of the kinds of fault, and examples of each."""
    console = Console(highlight=False)
    console.print(f"[bold]{escape(str(dataset.root))}[/] read as {dataset.format}")
    console.print(f"{len(dataset.classes)} classes: {escape(', '.join(dataset.classes))}")
    for name, num_images, num_boxes in split_sizes(dataset):
        console.print(f"{escape(name)}: {num_images:,} images, {num_boxes:,} boxes")
    groups = by_kind(problems)
    if groups:
        console.print(_table(groups))
    for kind, group in groups.items():
        console.print(f"[bold]{kind.name}[/]: {kind.meaning}")
        for problem in group[:num_examples]:
            console.print(f"  {escape(_line(problem, dataset))}", soft_wrap=True)
        if len(group) > num_examples:
            console.print(f"  … and {len(group) - num_examples:,} more")
    console.print(_verdict(problems, groups))


def _table(groups: dict[ProblemKind, list[Problem]]) -> Table:
    table = Table("kind", "severity")
    table.add_column("count", justify="right")
    table.add_column("what training does")
    for kind, group in groups.items():
        severity = "[red]error[/]" if kind.is_error else "note"
        table.add_row(kind.name, severity, f"{len(group):,}", kind.training)
    return table


def _line(problem: Problem, dataset: Dataset) -> str:
    split = f"{problem.split}: " if problem.split else ""
    detail = f": {problem.detail}" if problem.detail else ""
    return f"{split}{problem.where(dataset.root)}{detail}"


def _verdict(problems: Sequence[Problem], groups: dict[ProblemKind, list[Problem]]) -> str:
    if is_healthy(problems):
        return "[green]Nothing is wrong.[/]"
    num_errors = sum(len(group) for kind, group in groups.items() if kind.is_error)
    faults = "1 fault" if num_errors == 1 else f"{num_errors:,} faults"
    return f"[red]{faults}.[/] The files are unchanged; training does what the table says."
