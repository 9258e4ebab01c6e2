"""What `pocketdet demo` says at its end."""

from rich.console import Console
from rich.markup import escape

from pocketdet.demo import DemoResult
from pocketdet.evaluate.report import class_table, numbers_table


def show_demo(result: DemoResult) -> None:
    """Print AP, where the pictures are, and what to try next."""
    console, evaluation = Console(highlight=False), result.evaluation
    run, pictures = escape(str(result.run)), escape(str(result.pictures))
    console.print()
    console.print(numbers_table(evaluation))
    console.print()
    console.print(class_table(evaluation))
    console.print()
    console.print(
        f"[bold]AP {evaluation.ap:.3f}, AP50 {evaluation.ap50:.3f}[/] on the validation split "
        f"({evaluation.num_images} pictures, {evaluation.num_boxes:,} boxes), whose handwriting "
        f"training never saw; {result.minutes:.1f} minutes."
    )
    console.print(f"Look at   {pictures}/examples.png", soft_wrap=True)
    console.print(f"          {run}/curves.png, {run}/batches-0.png", soft_wrap=True)
    console.print("Try next  pocketdet predict " + run + " YOUR_PICTURES", soft_wrap=True)
    console.print("          pocketdet data check YOUR_DATA", soft_wrap=True)
    console.print("          pocketdet train PELEE_SMALL --data YOUR_DATA", soft_wrap=True)
