"""Convert a data set from one format to another."""

from dataclasses import dataclass
from pathlib import Path

from pocketdet.data.checking.check_report import split_sizes
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.any_format import known_format, write_dataset
from pocketdet.data.formats.losses import Losses
from pocketdet.data.open import open_dataset
from pocketdet.data.problem import UNREAD_KINDS
from pocketdet.data.progress import Progress, silent

NOT_READ = "files or entries could not be read and were left out (see `pocketdet data check`)"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What was read, where it was written, and what the new format could not hold."""

    source: Dataset
    path: Path
    format: str
    losses: Losses

    def __str__(self) -> str:
        """Say what was written, a line a split, then what was lost."""
        lines = [f"Wrote {self.path} as {self.format}, read from {self.source.format}."]
        lines += [
            f"{name}: {num_images:,} images, {num_boxes:,} boxes"
            for name, num_images, num_boxes in split_sizes(self.source)
        ]
        return "\n".join([*lines, str(self.losses)])


def convert(
    source: Path | str,
    path: Path | str,
    *,
    to: str,
    source_format: str | None = None,
    progress: Progress = silent,
) -> Conversion:
    """Read `source` and write it to `path`, a new folder, in the format `to`.

    Boxes come back to within 0.01 px; faulty boxes are carried over as they are, for
    `check` to find. Splits, the order of the classes and the traits are kept.
    """
    known_format(to)
    dataset = open_dataset(source, format=source_format, progress=progress)
    losses = write_dataset(dataset, path, to, progress=progress)
    unread = sum(fault.kind in UNREAD_KINDS for fault in dataset.faults)
    losses.add(NOT_READ, unread)
    return Conversion(source=dataset, path=Path(path), format=to, losses=losses)
