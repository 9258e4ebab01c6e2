"""What `pocketdet parity` does: two names, a data set, a report."""

from dataclasses import dataclass
from pathlib import Path

from pocketdet.data.open import open_dataset
from pocketdet.data.progress import Progress, silent
from pocketdet.data.repair import repair
from pocketdet.evaluate.class_match import labels_by_name
from pocketdet.parity.compare import compare
from pocketdet.parity.report import ParityReport
from pocketdet.parity.subject import Subject, open_subject
from pocketdet.parity.without_card import has_card, open_without_card
from pocketdet.runtime import is_exported_file


@dataclass(frozen=True, kw_only=True)
class ParityRequest:
    """Two sides, and the pictures that they are compared on: the first `images` of a split."""

    first: str
    second: str
    data: str
    split: str = "val"
    images: int = 32

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"`images` must be at least 1; got {self.images}.")


def _second(name: str, first: Subject) -> Subject:
    path = Path(name)
    if is_exported_file(path) and path.is_file() and not has_card(path):
        return open_without_card(path, first)
    return open_subject(name)


def run_parity(request: ParityRequest, *, progress: Progress = silent) -> ParityReport:
    """Open both sides and compare them; labels are matched with A's classes by name."""
    first = open_subject(request.first)
    second = _second(request.second, first)
    dataset = open_dataset(request.data)
    chosen = dataset.split(request.split)[: request.images]
    samples, _ = repair(chosen, dataset.classes)
    samples = labels_by_name(
        samples, data_classes=dataset.classes, detector_classes=first.card.classes
    )
    return compare(first, second, samples, progress=progress)
