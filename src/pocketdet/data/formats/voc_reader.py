"""Read Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, `ImageSets/Main/*.txt`.

The class list is `classes` in `pocketdet.yaml`, else the annotated names in sorted order.
Without `ImageSets/Main` everything is one split, `all`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.annotated_picture import annotated_picture
from pocketdet.data.formats.annotation_rows import UNKNOWN_LABEL, AnnotationRows
from pocketdet.data.formats.data_card import DATA_CARD, read_data_card
from pocketdet.data.formats.image_folder import images_by_stem
from pocketdet.data.formats.voc_file import VocFile, read_voc_file
from pocketdet.data.formats.voc_splits import read_voc_splits
from pocketdet.data.problem import (
    COLLIDING_IDS,
    MALFORMED,
    MISSING_ANNOTATION,
    UNKNOWN_CLASS,
    Problem,
    ProblemKind,
)
from pocketdet.data.progress import Progress, silent, track


def is_voc(root: Path) -> bool:
    """Say whether the folder looks like Pascal VOC."""
    return (root / "Annotations").is_dir()


def read_voc(root: Path, *, progress: Progress = silent) -> Dataset:
    """Read a folder in VOC format; what does not parse is listed in `Dataset.faults`."""
    card = read_data_card(root)
    stems_by_split = read_voc_splits(root)
    reader = _Reader(root, first_pixel=card.traits.first_pixel)
    split_of: dict[str, str] = {}
    for split, stems in stems_by_split.items():
        for stem in stems:
            split_of.setdefault(stem, split)
    files = reader.files(split_of, progress)
    classes = card.classes or _annotated_classes(root, files.values())
    samples = reader.samples(files, split_of, classes)
    return Dataset(
        classes=classes,
        splits={
            split: [samples[stem] for stem in stems if stem in samples]
            for split, stems in stems_by_split.items()
        },
        traits=card.traits,
        root=root,
        format="voc",
        faults=tuple(reader.faults),
    )


class _Reader:
    """Reads files and makes samples of them, and notes what is wrong."""

    def __init__(self, root: Path, *, first_pixel: int) -> None:
        self.annotations = root / "Annotations"
        self.images = root / "JPEGImages"
        self.first_pixel = first_pixel
        self.image_names = images_by_stem(self.images)
        self.faults: list[Problem] = []

    def files(self, split_of: Mapping[str, str], progress: Progress) -> dict[str, VocFile]:
        """Parse the file of every stem that has one."""
        files: dict[str, VocFile] = {}
        for stem, split in track(list(split_of.items()), "reading annotations", progress):
            path = self.annotations / f"{stem}.xml"
            try:
                files[stem] = read_voc_file(path)
            except FileNotFoundError:
                self._note(MISSING_ANNOTATION, split, path, "")
            except ValueError as error:
                self._note(MALFORMED, split, path, str(error))
        return files

    def samples(
        self, files: Mapping[str, VocFile], split_of: Mapping[str, str], classes: ClassList
    ) -> dict[str, Sample]:
        """Make a sample of every file whose image has a size."""
        samples: dict[str, Sample] = {}
        labels = {name: label for label, name in enumerate(classes)}
        for stem, file in files.items():
            picture = self._picture(stem, file, split_of[stem])
            if isinstance(picture, Problem):
                self.faults.append(picture)
            else:
                rows = self._rows(stem, file, split_of[stem], labels)
                samples[stem] = rows.sample(picture, stem)
        return samples

    def _rows(
        self, stem: str, file: VocFile, split: str, labels: Mapping[str, int]
    ) -> AnnotationRows:
        path = self.annotations / f"{stem}.xml"
        for place in file.malformed:
            detail = f"object {place} lacks a name or a side of its bndbox"
            self._note(MALFORMED, split, path, detail)
        rows = AnnotationRows()
        for name, (x1, y1, x2, y2), difficult in file.objects:
            label = labels.get(name, labels.get(name.strip(), UNKNOWN_LABEL))
            if label == UNKNOWN_LABEL:
                self._note(UNKNOWN_CLASS, split, path, f"`{name.strip()}`")
            box = (x1 - self.first_pixel, y1 - self.first_pixel, x2, y2)
            rows.add(box, label, difficult=difficult)
        return rows

    def _picture(self, stem: str, file: VocFile, split: str) -> ImageFile | Problem:
        path = self.images / self._image_name(stem, file, split)
        return annotated_picture(path, height=file.height, width=file.width, split=split)

    def _image_name(self, stem: str, file: VocFile, split: str) -> str:
        """Take the image of the annotation's name; `filename` decides between several."""
        names = self.image_names.get(stem, [])
        if len(names) > 1:
            detail = f"{' and '.join(names)} share a name"
            self._note(COLLIDING_IDS, split, self.images / names[0], detail)
        if file.image_name in names:
            return file.image_name
        if names:
            return names[0]
        exists = file.image_name in self.image_names.get(Path(file.image_name).stem, [])
        return file.image_name if exists else f"{stem}.jpg"

    def _note(self, kind: ProblemKind, split: str, file: Path, detail: str) -> None:
        self.faults.append(Problem(kind=kind, split=split, file=file, detail=detail))


def _annotated_classes(root: Path, files: Iterable[VocFile]) -> ClassList:
    names = {each.class_name.strip() for file in files for each in file.objects}
    if not names:
        raise ValueError(
            f"{root} names no class: no annotation has an object, and there is no "
            f"`classes` in {DATA_CARD}."
        )
    return ClassList.of(sorted(names))
