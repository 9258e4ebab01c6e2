"""What `pocketdet train` and `pocketdet demo` show while training, and at the end.

A bar on stderr where it is a terminal, one line an epoch everywhere; the result on stdout.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
import json

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from pocketdet.data.progress import Progress as TellProgress
from pocketdet.runs.training import RunResult
from pocketdet.train.early_stopping import best_epoch
from pocketdet.train.events import Ended, EpochDone, Event, Prepared, Started, StepDone, Watcher

SMOOTHING = 0.95


@contextmanager
def training_display() -> Generator[tuple[TellProgress, Watcher], None, None]:
    """Give what to call with progress (reading data, evaluating) and with training's events."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=300,
    ) as bars:
        display = _Display(console, bars)
        yield display.progress, display.watch


class _Display:
    def __init__(self, console: Console, bars: Progress) -> None:
        self._console, self._bars = console, bars
        self._other: dict[str, TaskID] = {}
        self._training: TaskID | None = None
        self._num_epochs = 0
        self._loss: float | None = None
        self._score = ""

    def progress(self, doing: str, done: int, total: int) -> None:
        """Show a bar for other work until it is done."""
        if doing not in self._other:
            self._other[doing] = self._bars.add_task(doing, total=total, figures="")
        self._bars.update(self._other[doing], completed=done, total=total, visible=done < total)

    def watch(self, event: Event) -> None:
        match event:
            case Prepared():
                self._show_prepared(event)
            case Started():
                self._num_epochs = event.num_epochs
                self._training = self._bars.add_task(
                    "training",
                    total=event.num_epochs * event.steps_per_epoch,
                    completed=event.epochs_done * event.steps_per_epoch,
                    figures="",
                )
            case StepDone():
                self._show_step(event)
            case EpochDone():
                self._show_epoch(event)
            case Ended():
                self._console.print(f"Ended: {event.reason}.")
            case _:
                pass

    def _show_prepared(self, event: Prepared) -> None:
        self._console.print(
            f"{event.num_train:,} images to train on, {event.num_val:,} to evaluate, "
            f"{event.num_classes} classes; {event.num_parameters:,} parameters on {event.device}"
        )
        if event.transfer:
            self._console.print(escape(event.transfer), soft_wrap=True)
        self._console.print(escape(event.repairs))
        self._console.print(f"The run is in {escape(str(event.folder))}", soft_wrap=True)

    def _show_step(self, event: StepDone) -> None:
        now = sum(event.losses.values())
        before = now if self._loss is None else self._loss
        self._loss = SMOOTHING * before + (1 - SMOOTHING) * now
        assert self._training is not None
        self._bars.update(
            self._training,
            advance=1,
            description=f"epoch {event.epoch + 1}/{self._num_epochs}",
            figures=f"loss {self._loss:.3f}{self._score}",
        )

    def _show_epoch(self, event: EpochDone) -> None:
        if "ap" in event.row:
            self._score = f" AP {event.row['ap']:.3f}"
        is_best = best_epoch(event.history) == event.row
        self._console.print(
            epoch_line(event.row, num_epochs=self._num_epochs) + (" best" if is_best else "")
        )


def epoch_line(row: Mapping[str, float], *, num_epochs: int) -> str:
    """Say in one line of at most 80 columns what an epoch brought."""
    line = (
        f"epoch {int(row['epoch'])}/{num_epochs}  loss {row['loss']:.3f} "
        f"(class {row['classification']:.3f}, box {row['localization']:.3f})"
    )
    if "ap" in row:
        line += f"  AP {row['ap']:.3f}  AP50 {row['ap50']:.3f}"
    return line


def show_result(result: RunResult, *, as_json: bool = False) -> None:
    """Print how the run ended, once, whatever the number of processes."""
    if not result.is_main:
        return
    console = Console(highlight=False)
    if as_json:
        console.print(json.dumps(result.to_data(), indent=2), soft_wrap=True, markup=False)
        return
    run = escape(str(result.folder))
    if result.best:
        best = result.best
        console.print(
            f"Best: [bold]AP {best['ap']:.3f}[/], AP50 {best['ap50']:.3f} in epoch "
            f"{int(best['epoch'])} of {len(result.history)}; {result.minutes:.1f} minutes"
        )
    for file, what in (
        ("best.pt, last.pt", "the detector; last.pt to go on with"),
        ("curves.png, metrics.csv", "losses and AP by epoch"),
        ("batches-0.png …", "training batches as the network sees them"),
        ("tensorboard", f"tensorboard --logdir {run}/tensorboard"),
    ):
        console.print(f"  {file:<24}{what}", soft_wrap=True)
    console.print(f"Everything is in {run}", soft_wrap=True)
