"""Find everything that is wrong with a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.box_state import BoxState, box_state
from pocketdet.data.checking.image_check import ImageReport, examine_images
from pocketdet.data.checking.repeated_images import find_repeated_images
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.problem import (
    DAMAGED_IMAGE,
    DUPLICATE_BOX,
    EXIF_ROTATION,
    MISSING_IMAGE,
    NEGATIVE_AREA,
    NO_BOX,
    NOT_A_NUMBER,
    PARTLY_OUTSIDE,
    PROBLEM_KINDS,
    SWAPPED_CORNERS,
    UNUSED_CLASS,
    WHOLLY_OUTSIDE,
    WRONG_SIZE,
    ZERO_AREA,
    Problem,
    ProblemKind,
)
from pocketdet.data.progress import Progress, silent


def find_problems(
    path: Path | str, *, format: str | None = None, progress: Progress = silent
) -> list[Problem]:
    """Read a folder, decode its images, and list every fault, worst kinds first."""
    return check_dataset(read_dataset(path, format=format, progress=progress), progress=progress)


def check_dataset(dataset: Dataset, *, progress: Progress = silent) -> list[Problem]:
    """List every fault of a data set that is read already. All its images are decoded."""
    samples = _first_seen(dataset)
    pictures = [
        _Picture(seen.split, seen.sample.picture)
        for seen in samples
        if isinstance(seen.sample.picture, ImageFile)
    ]
    paths = list(dict.fromkeys(picture.file.path for picture in pictures))
    reports = {report.path: report for report in examine_images(paths, progress)}
    problems = [
        *dataset.faults,
        *_box_problems(samples, dataset),
        *_unused_classes(dataset),
        *_image_problems(pictures, reports),
        *find_repeated_images(dataset, reports),
        *_empty_images(samples),
    ]
    place = {kind: number for number, kind in enumerate(PROBLEM_KINDS)}
    return sorted(problems, key=lambda problem: place[problem.kind])


@dataclass(frozen=True)
class _Seen:
    split: str
    sample: Sample


@dataclass(frozen=True)
class _Picture:
    split: str
    file: ImageFile


def _first_seen(dataset: Dataset) -> list[_Seen]:
    """Give each sample once, with the first split that it stands in."""
    seen: dict[int, _Seen] = {}
    for split, samples in dataset.splits.items():
        for sample in samples:
            seen.setdefault(id(sample), _Seen(split, sample))
    return list(seen.values())


def _box_problems(samples: Sequence[_Seen], dataset: Dataset) -> Iterator[Problem]:
    """Unknown classes are not looked for here: the reader knows their names and noted them."""
    state = box_state([seen.sample for seen in samples], num_classes=len(dataset.classes))
    for kind, mask in (
        (NOT_A_NUMBER, state.not_a_number),
        (ZERO_AREA, state.zero_area),
        (NEGATIVE_AREA, state.negative_area),
        (SWAPPED_CORNERS, state.swapped_corners),
        (WHOLLY_OUTSIDE, state.wholly_outside),
        (PARTLY_OUTSIDE, state.partly_outside),
        (DUPLICATE_BOX, state.duplicate),
    ):
        for row in mask.nonzero().flatten().tolist():
            yield _box_problem(kind, samples, state, row)


def _box_problem(kind: ProblemKind, samples: Sequence[_Seen], state: BoxState, row: int) -> Problem:
    seen = samples[int(state.owner[row])]
    return Problem(
        kind=kind,
        split=seen.split,
        file=_file_of(seen.sample),
        box=int(state.place[row]),
        detail=_corners(state.boxes_xyxy[row], seen.sample),
    )


def _file_of(sample: Sample) -> Path:
    picture = sample.picture
    return picture.path if isinstance(picture, ImageFile) else Path(sample.image_id)


def _corners(box_xyxy: Tensor, sample: Sample) -> str:
    x1, y1, x2, y2 = (f"{value:.6g}" for value in box_xyxy.tolist())
    height, width = sample.size
    return f"({x1}, {y1}) to ({x2}, {y2}) in {width}x{height}"


def _unused_classes(dataset: Dataset) -> Iterator[Problem]:
    used = {
        label
        for samples in dataset.splits.values()
        for sample in samples
        for label in sample.labels.tolist()
    }
    for label, name in enumerate(dataset.classes):
        if label not in used:
            yield Problem(
                kind=UNUSED_CLASS, split="", file=dataset.root, detail=f"`{name}` (label {label})"
            )


def _image_problems(
    pictures: Sequence[_Picture], reports: Mapping[Path, ImageReport]
) -> Iterator[Problem]:
    for picture in pictures:
        report = reports[picture.file.path]
        found = _fault_of(picture.file, report)
        if found is not None:
            kind, detail = found
            yield Problem(kind=kind, split=picture.split, file=report.path, detail=detail)
        if report.orientation != 1:
            yield Problem(
                kind=EXIF_ROTATION,
                split=picture.split,
                file=report.path,
                detail=f"orientation {report.orientation}",
            )


def _fault_of(file: ImageFile, report: ImageReport) -> tuple[ProblemKind, str] | None:
    if not report.exists:
        return MISSING_IMAGE, ""
    if report.size is None:
        return DAMAGED_IMAGE, report.reason
    if report.size != (file.height, file.width):
        height, width = report.size
        return WRONG_SIZE, f"annotated {file.width}x{file.height}, is {width}x{height}"
    return None


def _empty_images(samples: Sequence[_Seen]) -> Iterator[Problem]:
    for seen in samples:
        if len(seen.sample.labels) == 0:
            yield Problem(kind=NO_BOX, split=seen.split, file=_file_of(seen.sample))
