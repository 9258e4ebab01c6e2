"""What training takes of a data set: a bad annotation is repaired or left out, and counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import torch

from pocketdet.conventions import ClassList, ImageFile, Sample, UnreadableImage
from pocketdet.conventions.image_decoding import read_rgb
from pocketdet.data.box_state import BoxState, box_state
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.image_header import ends_properly, read_header
from pocketdet.data.problem import (
    DAMAGED_IMAGE,
    DUPLICATE_BOX,
    MISSING_IMAGE,
    NEGATIVE_AREA,
    NOT_A_NUMBER,
    PARTLY_OUTSIDE,
    SWAPPED_CORNERS,
    UNKNOWN_CLASS,
    UNREAD_KINDS,
    WHOLLY_OUTSIDE,
    WRONG_SIZE,
    ZERO_AREA,
    ProblemKind,
)
from pocketdet.data.progress import Progress, silent, track

NUM_THREADS = 8  # the time goes into opening files


@dataclass(frozen=True, kw_only=True)
class RepairSummary:
    """How many images and boxes there were, and what was done to how many, by kind of fault.

    - `unread`: what the reader could not make a sample of;
    - `images_left_out`, `boxes_left_out`: gone;
    - `boxes_changed`: clipped or with their corners put in order;
    - `sizes_corrected`: images of another size than their annotation says.
    """

    num_images: int
    num_boxes: int
    unread: Mapping[str, int] = field(default_factory=dict[str, int])
    images_left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    boxes_left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    boxes_changed: Mapping[str, int] = field(default_factory=dict[str, int])
    sizes_corrected: int = 0

    def __bool__(self) -> bool:
        """Say whether anything was wrong."""
        kinds = (self.unread, self.images_left_out, self.boxes_left_out, self.boxes_changed)
        return any(any(kind.values()) for kind in kinds) or self.sizes_corrected > 0

    def __str__(self) -> str:
        total = f"{self.num_images:,} images with {self.num_boxes:,} boxes"
        if not self:
            return f"Nothing to repair in {total}."
        parts = [
            _part("annotations not read", self.unread),
            _part("images left out", self.images_left_out),
            _part("boxes left out", self.boxes_left_out),
            _part("boxes corrected", self.boxes_changed),
            f"{self.sizes_corrected:,} image sizes corrected" if self.sizes_corrected else "",
        ]
        return f"Of {total}: {'; '.join(part for part in parts if part)}."


def repair(
    samples: Sequence[Sample], classes: ClassList, *, progress: Progress = silent
) -> tuple[list[Sample], RepairSummary]:
    """Make samples fit to train on: boxes finite, in order, inside their images, of known classes.

    Corners are put in order, boxes clipped; boxes without area, outside the image, of no
    class or with a coordinate that is no number are left out, and so is what repeats
    another box. Missing and damaged images are left out; of sound ones only the header
    and the last bytes are read.
    """
    repaired, summary = _repair(samples, classes, progress)
    return [sample for sample in repaired if sample is not None], summary


def repair_dataset(
    dataset: Dataset, *, progress: Progress = silent
) -> tuple[Dataset, RepairSummary]:
    """Repair all splits; a sample that stands in several (train, trainval) counts once."""
    unique = {id(sample): sample for samples in dataset.splits.values() for sample in samples}
    repaired, summary = _repair(list(unique.values()), dataset.classes, progress)
    by_id = dict(zip(unique, repaired, strict=True))
    splits = {
        split: [sample for old in samples if (sample := by_id[id(old)]) is not None]
        for split, samples in dataset.splits.items()
    }
    unread = Counter(fault.kind.name for fault in dataset.faults if fault.kind in UNREAD_KINDS)
    return replace(dataset, splits=splits), replace(summary, unread=dict(unread))


def _repair(
    samples: Sequence[Sample], classes: ClassList, progress: Progress
) -> tuple[list[Sample | None], RepairSummary]:
    """Give the repaired samples in their old places, None where one is left out."""
    repaired: list[Sample | None] = [None] * len(samples)
    places: list[int] = []
    kept: list[Sample] = []
    counts: Counter[ProblemKind] = Counter()
    for place, size in enumerate(_stored_sizes(samples, progress)):
        if isinstance(size, ProblemKind):
            counts[size] += 1
            continue
        counts[WRONG_SIZE] += size != samples[place].size
        places.append(place)
        kept.append(_with_size(samples[place], size))
    state = box_state(kept, num_classes=len(classes))
    for place, sample in zip(places, _with_repaired_boxes(kept, state), strict=True):
        repaired[place] = sample
    summary = RepairSummary(
        num_images=len(samples),
        num_boxes=sum(len(sample.labels) for sample in samples),
        images_left_out=_named({k: counts[k] for k in (MISSING_IMAGE, DAMAGED_IMAGE)}),
        boxes_left_out=_boxes_left_out(state),
        boxes_changed=_boxes_changed(state),
        sizes_corrected=counts[WRONG_SIZE],
    )
    return repaired, summary


def _stored_sizes(
    samples: Sequence[Sample], progress: Progress
) -> Iterator[tuple[int, int] | ProblemKind]:
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        sizes = pool.map(_stored_size, samples)
        for _ in track(samples, "looking at images", progress):
            yield next(sizes)


def _stored_size(sample: Sample) -> tuple[int, int] | ProblemKind:
    """Give the image's own height and width, or say why there is none."""
    if not isinstance(sample.picture, ImageFile):
        return sample.size
    path = sample.picture.path
    if not path.is_file():
        return MISSING_IMAGE
    try:
        header = read_header(path)
        if not ends_properly(path):
            read_rgb(path)
    except UnreadableImage:
        return DAMAGED_IMAGE
    return header.height, header.width


def _with_size(sample: Sample, size: tuple[int, int]) -> Sample:
    if sample.size == size or not isinstance(sample.picture, ImageFile):
        return sample
    return replace(sample, picture=ImageFile(sample.picture.path, *size))


def _with_repaired_boxes(samples: Sequence[Sample], state: BoxState) -> list[Sample]:
    counts = [len(sample.labels) for sample in samples]
    boxes = state.repaired_xyxy.split(counts)
    usable = state.usable.split(counts)
    return [
        replace(sample, boxes_xyxy=box).keep(mask)
        for sample, box, mask in zip(samples, boxes, usable, strict=True)
    ]


def _boxes_left_out(state: BoxState) -> dict[str, int]:
    """Count each box under one reason only."""
    counts: dict[ProblemKind, int] = {}
    counted = torch.zeros_like(state.usable)
    for kind, mask in (
        (NOT_A_NUMBER, state.not_a_number),
        (ZERO_AREA, state.zero_area),
        (WHOLLY_OUTSIDE, state.wholly_outside),
        (UNKNOWN_CLASS, state.unknown_class),
        (DUPLICATE_BOX, state.duplicate),
    ):
        counts[kind] = int((mask & ~counted).sum())
        counted = counted | mask
    return _named(counts)


def _boxes_changed(state: BoxState) -> dict[str, int]:
    return _named(
        {
            NEGATIVE_AREA: int((state.negative_area & state.usable).sum()),
            SWAPPED_CORNERS: int((state.swapped_corners & state.usable).sum()),
            PARTLY_OUTSIDE: int((state.partly_outside & state.usable).sum()),
        }
    )


def _named(counts: Mapping[ProblemKind, int]) -> dict[str, int]:
    return {kind.name: number for kind, number in counts.items() if number}


def _part(what: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    reasons = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    return f"{what}: {reasons}"
