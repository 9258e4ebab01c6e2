"""Read Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, `ImageSets/Main/*.txt`.

The class list is `classes` in `pocketdet.yaml`, else the annotated names in sorted order.
Without `ImageSets/Main` everything is one split, `all`.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from pocketdet.conventions import ClassList, ImageFile, Sample, UnreadableImage
from pocketdet.data.annotation_rows import UNKNOWN_LABEL, AnnotationRows, number_or_nan
from pocketdet.data.data_card import DATA_CARD, read_data_card
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.image_folder import images_by_stem
from pocketdet.data.image_header import read_header
from pocketdet.data.problem import (
    COLLIDING_IDS,
    DAMAGED_IMAGE,
    MALFORMED,
    MISSING_ANNOTATION,
    MISSING_IMAGE,
    UNKNOWN_CLASS,
    Problem,
    ProblemKind,
)
from pocketdet.data.progress import Progress, silent, track
from pocketdet.data.voc_splits import read_voc_splits

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(root: Path) -> bool:
    """Say whether the folder looks like Pascal VOC."""
    return (root / "Annotations").is_dir()


def read_voc(root: Path, *, progress: Progress = silent) -> Dataset:
    """Read a folder in VOC format; what does not parse is listed in `Dataset.faults`."""
    card = read_data_card(root)
    stems_by_split = read_voc_splits(root)
    first_split: dict[str, str] = {}
    for split, stems in stems_by_split.items():
        for stem in stems:
            first_split.setdefault(stem, split)
    trees: dict[str, ElementTree.Element] = {}
    faults: list[Problem] = []
    for stem, split in track(list(first_split.items()), "reading annotations", progress):
        tree = _parse(root / "Annotations" / f"{stem}.xml", split, faults)
        if tree is not None:
            trees[stem] = tree
    classes = card.classes or _annotated_classes(root, trees.values())
    images = images_by_stem(root / "JPEGImages")
    reader = _SampleReader(root, classes, card.traits, images, faults)
    samples: dict[str, Sample] = {}
    for stem, tree in track(list(trees.items()), "making samples", progress):
        sample = reader.sample(stem, tree, first_split[stem])
        if sample is not None:
            samples[stem] = sample
    return Dataset(
        classes=classes,
        splits={
            split: [samples[stem] for stem in stems if stem in samples]
            for split, stems in stems_by_split.items()
        },
        traits=card.traits,
        root=root,
        format="voc",
        faults=tuple(faults),
    )


class _SampleReader:
    """Turns one parsed file after the other into samples, and notes what is wrong."""

    def __init__(
        self,
        root: Path,
        classes: ClassList,
        traits: Traits,
        images: dict[str, list[str]],
        faults: list[Problem],
    ) -> None:
        self.root = root
        self.labels = {name: label for label, name in enumerate(classes)}
        self.first_pixel = traits.first_pixel
        self.images = images
        self.faults = faults

    def sample(self, stem: str, tree: ElementTree.Element, split: str) -> Sample | None:
        file = self.root / "Annotations" / f"{stem}.xml"
        picture = self._picture(stem, tree, split)
        if picture is None:
            return None
        rows = AnnotationRows()
        for place, element in enumerate(tree.iterfind("object")):
            name, box = element.findtext("name"), element.find("bndbox")
            if name is None or box is None or any(box.find(key) is None for key in CORNERS):
                detail = f"object {place} lacks a name or a side of its bndbox"
                self._note(MALFORMED, split, file, detail)
                continue
            rows.add(
                self._corners(box),
                self._label(name, split, file),
                difficult=(element.findtext("difficult") or "").strip() == "1",
            )
        return rows.sample(picture, stem)

    def _corners(self, box: ElementTree.Element) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = (number_or_nan(box.findtext(key)) for key in CORNERS)
        return x1 - self.first_pixel, y1 - self.first_pixel, x2, y2

    def _label(self, name: str, split: str, file: Path) -> int:
        label = self.labels.get(name, self.labels.get(name.strip(), UNKNOWN_LABEL))
        if label == UNKNOWN_LABEL:
            self._note(UNKNOWN_CLASS, split, file, f"`{name.strip()}`")
        return label

    def _picture(self, stem: str, tree: ElementTree.Element, split: str) -> ImageFile | None:
        path = self.root / "JPEGImages" / self._image_name(stem, tree, split)
        height = number_or_nan(tree.findtext("size/height"))
        width = number_or_nan(tree.findtext("size/width"))
        if height >= 1 and width >= 1:
            return ImageFile(path, int(height), int(width))
        try:
            header = read_header(path)
        except UnreadableImage as error:
            kind = DAMAGED_IMAGE if path.is_file() else MISSING_IMAGE
            self._note(kind, split, path, str(error) if path.is_file() else "")
            return None
        return ImageFile(path, header.height, header.width)

    def _image_name(self, stem: str, tree: ElementTree.Element, split: str) -> str:
        names = self.images.get(stem, [])
        named = (tree.findtext("filename") or "").strip()
        if len(names) > 1:
            file = self.root / "JPEGImages" / names[0]
            self._note(COLLIDING_IDS, split, file, f"{' and '.join(names)} share a name")
        if named in names:
            return named
        if names:
            return names[0]
        in_use = any(named in others for others in self.images.get(Path(named).stem, []))
        return named if in_use else f"{stem}.jpg"

    def _note(self, kind: ProblemKind, split: str, file: Path, detail: str) -> None:
        self.faults.append(Problem(kind=kind, split=split, file=file, detail=detail))


def _parse(path: Path, split: str, faults: list[Problem]) -> ElementTree.Element | None:
    try:
        return ElementTree.parse(path).getroot()
    except FileNotFoundError:
        faults.append(Problem(kind=MISSING_ANNOTATION, split=split, file=path))
    except (ElementTree.ParseError, ValueError) as error:
        faults.append(Problem(kind=MALFORMED, split=split, file=path, detail=str(error)))
    return None


def _annotated_classes(root: Path, trees: Iterable[ElementTree.Element]) -> ClassList:
    texts = (element.findtext("name") for tree in trees for element in tree.iterfind("object"))
    names = {text.strip() for text in texts if text is not None}
    if not names:
        raise ValueError(
            f"{root} names no class: no annotation has an object, and there is no "
            f"`classes` in {DATA_CARD}."
        )
    return ClassList.of(sorted(names))
