"""The same image twice: in one split, or in two that must not share any."""

from collections.abc import Iterator, Mapping
from pathlib import Path
import re

from pocketdet.conventions import ImageFile
from pocketdet.data.checking.image_check import ImageReport
from pocketdet.data.dataset import Dataset
from pocketdet.data.problem import DUPLICATE_IMAGE, SAME_IMAGE_IN_TWO_SPLITS, Problem

Place = tuple[str, Path]


def find_repeated_images(
    dataset: Dataset, reports: Mapping[Path, ImageReport]
) -> Iterator[Problem]:
    """Compare the bytes of all images. `trainval` may share images with `train` and `val`."""
    for places in _places_by_content(dataset, reports).values():
        first_in: dict[str, Path] = {}
        for split, path in places:
            if split in first_in:
                detail = f"same bytes as {first_in[split].name}"
                yield Problem(kind=DUPLICATE_IMAGE, split=split, file=path, detail=detail)
            else:
                yield from _shared_with_others(split, path, first_in)
                first_in[split] = path


def _places_by_content(
    dataset: Dataset, reports: Mapping[Path, ImageReport]
) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for split, samples in dataset.splits.items():
        for sample in samples:
            if isinstance(sample.picture, ImageFile):
                report = reports[sample.picture.path]
                if report.digest:
                    places.setdefault(report.digest, []).append((split, report.path))
    return places


def _shared_with_others(split: str, path: Path, first_in: Mapping[str, Path]) -> Iterator[Problem]:
    for other, other_path in first_in.items():
        if not may_share(split, other):
            name = "" if other_path == path else f" as {other_path.name}"
            yield Problem(
                kind=SAME_IMAGE_IN_TWO_SPLITS,
                split=split,
                file=path,
                detail=f"in {other} and {split}{name}",
            )


def may_share(split: str, other: str) -> bool:
    """Say whether one of two splits is by its name a union that holds the other."""
    return _holds(split, other) or _holds(other, split)


def _holds(union: str, part: str) -> bool:
    name = re.sub(r"[^a-z]", "", union.lower())
    if name == "all":
        return True
    return name == "trainval" and part.lower().startswith(("train", "val"))
