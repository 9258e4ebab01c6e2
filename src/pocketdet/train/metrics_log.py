"""A run's figures as a CSV file, as TensorBoard events, and as curves."""

from collections.abc import Mapping, Sequence
import csv
import io
from time import monotonic
from typing import TYPE_CHECKING

from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.curves import draw_curves
from pocketdet.train.events import Ended, EpochDone, Event, Started, StepDone
from pocketdet.train.run_folder import RunFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

SECONDS_BETWEEN_DRAWINGS = 30.0


class MetricsLog:
    """Watches a run and writes its figures.

    CSV and curves are written anew from the whole history after each epoch, so that a resumed
    run leaves no row twice.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._drawn = monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._writer = self._open(event.epochs_done * event.steps_per_epoch)
            case StepDone():
                figures = {f"step/{name}": value for name, value in event.losses.items()}
                self._add({**figures, "step/learning_rate": event.learning_rate}, event.step)
            case EpochDone():
                epoch_figures = {f"epoch/{name}": value for name, value in event.row.items()}
                self._add(epoch_figures, int(event.row["step"]))
                self._write(event.history, draw=self._is_time_to_draw())
            case Ended():
                self._write(event.history, draw=bool(event.history))
                if self._writer:
                    self._writer.close()
            case _:
                pass

    def _open(self, first_step: int) -> "SummaryWriter":
        """Open the events; those that a killed run left of later steps are hidden."""
        from torch.utils.tensorboard.writer import SummaryWriter  # Costs over a second.

        return SummaryWriter(str(self._folder.events), purge_step=first_step or None)

    def _add(self, figures: Mapping[str, float], step: int) -> None:
        assert self._writer is not None
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def _write(self, history: Sequence[Mapping[str, float]], *, draw: bool) -> None:
        table = as_csv(history).encode()
        write_atomically(self._folder.metrics, lambda file: file.write(table))
        if draw:
            draw_curves(history, self._folder.curves)
            self._drawn = monotonic()

    def _is_time_to_draw(self) -> bool:
        return monotonic() - self._drawn > SECONDS_BETWEEN_DRAWINGS


def as_csv(history: Sequence[Mapping[str, float]]) -> str:
    """Write rows of figures as CSV; a figure that a row does not have stays empty."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
