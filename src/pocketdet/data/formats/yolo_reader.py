"""Read YOLO txt with `data.yaml`: one line a box, `class cx cy w h` as shares of the image.

A line with more, `class x1 y1 x2 y2 x3 y3 …`, is a polygon and gives the box around it. An
image without a label file has no boxes.
"""

from collections.abc import Sequence
from pathlib import Path

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.annotated_picture import measured_picture
from pocketdet.data.formats.annotation_rows import UNKNOWN_LABEL, AnnotationRows, number_or_nan
from pocketdet.data.formats.data_card import DATA_CARD, read_data_card
from pocketdet.data.formats.image_folder import image_ids
from pocketdet.data.formats.yolo_layout import (
    YoloLayout,
    find_data_yaml,
    images_of,
    label_file,
    read_yolo_layout,
)
from pocketdet.data.formats.yolo_line import box_xyxy_of
from pocketdet.data.problem import (
    MALFORMED,
    MISSING_IMAGE,
    UNKNOWN_CLASS,
    Problem,
    ProblemKind,
)
from pocketdet.data.progress import Progress, silent, track


def is_yolo(root: Path) -> bool:
    """Say whether the folder looks like YOLO txt."""
    return find_data_yaml(root) is not None


def read_yolo(root: Path, *, progress: Progress = silent) -> Dataset:
    """Read a folder in YOLO format; what does not parse is listed in `Dataset.faults`."""
    file = find_data_yaml(root)
    if file is None:
        raise ValueError(f"{root} has no data.yaml, which YOLO's class list stands in.")
    layout = read_yolo_layout(file)
    card = read_data_card(root)
    if card.classes is not None and card.classes != layout.classes:
        raise ValueError(f"`classes` in {root / DATA_CARD} and `names` in {file} differ.")
    splits: dict[str, list[Sample]] = {}
    faults: list[Problem] = []
    for split, sources in layout.sources.items():
        reader = _SplitReader(root, split, layout)
        splits[split] = reader.samples(sources, progress)
        faults += reader.faults
    return Dataset(
        classes=layout.classes,
        splits=splits,
        traits=card.traits,
        root=root,
        format="yolo",
        faults=tuple(faults),
    )


class _SplitReader:
    """Turns one split's images and label files into samples."""

    def __init__(self, root: Path, split: str, layout: YoloLayout) -> None:
        self.root = root
        self.split = split
        self.label_of = layout.label_of
        self.faults: list[Problem] = []

    def samples(self, sources: Sequence[Path], progress: Progress) -> list[Sample]:
        images: list[Path] = []
        for source in sources:
            if not source.exists():
                self._note(MISSING_IMAGE, source, "the folder or list does not exist")
            found = list(images_of(source))
            images += found
            if source.is_dir():
                self._find_labels_without_image(source, found)
        names = [_name_below(image, sources) for image in images]
        pairs = list(zip(images, image_ids(names), strict=True))
        doing = f"reading {self.split}"
        samples = (self._sample(*pair) for pair in track(pairs, doing, progress))
        return [sample for sample in samples if sample is not None]

    def _sample(self, image: Path, image_id: str) -> Sample | None:
        picture = measured_picture(image, split=self.split)
        if isinstance(picture, Problem):
            self.faults.append(picture)
            return None
        rows = self._rows(label_file(image), picture)
        return None if rows is None else rows.sample(picture, image_id)

    def _rows(self, file: Path, picture: ImageFile) -> AnnotationRows | None:
        rows = AnnotationRows()
        if not file.is_file():
            return rows
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            self._note(MALFORMED, file, f"no text: {error.reason}")
            return None
        for number, line in enumerate(lines, start=1):
            words = line.split()
            box = box_xyxy_of(words[1:], height=picture.height, width=picture.width)
            if box is not None:
                rows.add(box, self._label(words[0], file, number))
            elif words:
                detail = f"line {number} has {len(words)} values: {line.strip()[:40]}"
                self._note(MALFORMED, file, detail)
        return rows

    def _label(self, word: str, file: Path, line: int) -> int:
        number = number_or_nan(word)
        label = self.label_of.get(int(number)) if number.is_integer() else None
        if label is None:
            self._note(UNKNOWN_CLASS, file, f"`{word}` in line {line}")
            return UNKNOWN_LABEL
        return label

    def _find_labels_without_image(self, folder: Path, images: Sequence[Path]) -> None:
        expected = {label_file(image) for image in images}
        labels = label_file(folder / "any").parent
        for file in sorted(labels.rglob("*.txt")):
            if file not in expected and file.name != "classes.txt":
                self._note(MISSING_IMAGE, file, "a label file without its image")

    def _note(self, kind: ProblemKind, file: Path, detail: str) -> None:
        self.faults.append(Problem(kind=kind, split=self.split, file=file, detail=detail))


def _name_below(image: Path, sources: Sequence[Path]) -> str:
    for source in sources:
        if source.is_dir() and image.is_relative_to(source):
            return image.relative_to(source).as_posix()
    return image.name
