"""The text of `pocketdet evaluate`, for people."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pocketdet.evaluate.job import EvaluatedRun
from pocketdet.evaluate.report import class_table, numbers_table


def show_evaluation(evaluated: EvaluatedRun, folder: Path) -> None:
    """Print what was scored, the numbers, a table by class, and where the files are."""
    console, evaluation = Console(highlight=False), evaluated.evaluation
    console.print(
        f"[bold]{escape(evaluated.run)}[/] on {escape(evaluated.data)}, {escape(evaluated.split)}: "
        f"{evaluation.num_images:,} images, {evaluation.num_boxes:,} boxes, "
        f"{evaluation.seconds:.1f} s"
    )
    if evaluated.repairs:
        console.print(escape(str(evaluated.repairs)))
    console.print()
    console.print(numbers_table(evaluation))
    console.print()
    console.print(class_table(evaluation))
    console.print()
    console.print(f"Metrics, curves and examples are in {escape(str(folder))}", soft_wrap=True)
