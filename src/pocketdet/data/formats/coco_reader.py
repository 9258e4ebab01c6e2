"""Read COCO JSON: one file a split, absolute `[x, y, width, height]`, crowds, free category ids.

The class list is `classes` in `pocketdet.yaml`, else the categories in the order of the
first split's file. A category's id is looked up in its own file only.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.annotated_picture import annotated_picture
from pocketdet.data.formats.annotation_rows import UNKNOWN_LABEL, AnnotationRows
from pocketdet.data.formats.coco_file import CocoFile, CocoImage, read_coco_file
from pocketdet.data.formats.coco_layout import find_coco_files, find_image_folder
from pocketdet.data.formats.data_card import read_data_card
from pocketdet.data.formats.image_folder import image_ids
from pocketdet.data.problem import (
    CATEGORY_IDS_DIFFER,
    UNKNOWN_CLASS,
    Problem,
)
from pocketdet.data.progress import Progress, silent, track


def is_coco(root: Path) -> bool:
    """Say whether the folder looks like COCO JSON."""
    return bool(find_coco_files(root))


def read_coco(root: Path, *, progress: Progress = silent) -> Dataset:
    """Read a folder in COCO format; what does not parse is listed in `Dataset.faults`."""
    card = read_data_card(root)
    paths = list(find_coco_files(root).items())
    files = [
        file
        for split, path in track(paths, "reading JSON files", progress)
        if (file := read_coco_file(split, path)) is not None
    ]
    faults = [fault for file in files for fault in file.faults]
    readable = [file for file in files if file.images or not file.faults]
    if not readable:
        reason = f" {faults[0].file.name}: {faults[0].detail}." if faults else ""
        raise ValueError(f"{root} has no COCO file with images that can be read.{reason}")
    names = dict.fromkeys(name for file in readable for name in file.category_names.values())
    if card.classes is None and not names:
        raise ValueError(f"{root} names no class: its COCO files list no category.")
    classes = card.classes or ClassList.of(names)
    faults += _differing_category_ids(readable)
    splits: dict[str, list[Sample]] = {}
    for file in readable:
        reader = _SplitReader(root, file, classes)
        splits[file.split] = reader.samples(progress)
        faults += reader.faults
    return Dataset(
        classes=classes,
        splits=splits,
        traits=card.traits,
        root=root,
        format="coco",
        faults=tuple(faults),
    )


class _SplitReader:
    """Turns one file's entries into samples."""

    def __init__(self, root: Path, file: CocoFile, classes: ClassList) -> None:
        labels = {name: label for label, name in enumerate(classes)}
        self.label_of: dict[Hashable, int] = {
            category: labels.get(name, UNKNOWN_LABEL)
            for category, name in file.category_names.items()
        }
        names = [image.file_name for image in file.images.values()]
        self.folder = find_image_folder(root, file.split, file.path, names)
        self.image_ids = image_ids(names)
        self.file = file
        self.faults: list[Problem] = []

    def samples(self, progress: Progress) -> list[Sample]:
        images = list(self.file.images.values())
        pairs = list(zip(images, self.image_ids, strict=True))
        doing = f"reading {self.file.split}"
        samples = (self._sample(*pair) for pair in track(pairs, doing, progress))
        return [sample for sample in samples if sample is not None]

    def _sample(self, image: CocoImage, image_id: str) -> Sample | None:
        picture = annotated_picture(
            self.folder / image.file_name,
            height=image.height,
            width=image.width,
            split=self.file.split,
        )
        if isinstance(picture, Problem):
            self.faults.append(picture)
            return None
        rows = AnnotationRows()
        for box in self.file.boxes.get(image.id, []):
            x, y, width, height = box.xywh
            label = self.label_of.get(box.category_id, UNKNOWN_LABEL)
            if label == UNKNOWN_LABEL:
                name = self.file.category_names.get(box.category_id)
                detail = f"`{name}`" if name else f"category id {box.category_id}"
                place = f"{detail} of annotation {box.id}"
                self.faults.append(self._problem_of(picture, place))
            rows.add((x, y, x + width, y + height), label, crowd=box.crowd)
        return rows.sample(picture, image_id)

    def _problem_of(self, picture: ImageFile, detail: str) -> Problem:
        return Problem(kind=UNKNOWN_CLASS, split=self.file.split, file=picture.path, detail=detail)


def _differing_category_ids(files: Sequence[CocoFile]) -> list[Problem]:
    """Compare each file's categories with those of the files before it."""
    name_of: dict[Hashable, str] = {}
    id_of: dict[str, Hashable] = {}
    problems: list[Problem] = []
    for file in files:
        for category, name in file.category_names.items():
            other = name_of.setdefault(category, name)
            number = id_of.setdefault(name, category)
            if other != name:
                detail = f"id {category} is `{name}` here and `{other}` in another split"
            elif number != category:
                detail = f"`{name}` has id {category} here and {number} in another split"
            else:
                continue
            problems.append(
                Problem(kind=CATEGORY_IDS_DIFFER, split=file.split, file=file.path, detail=detail)
            )
    return problems
