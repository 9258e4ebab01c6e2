"""Write Pascal VOC; the class list goes into `pocketdet.yaml`, which keeps its order."""

from pathlib import Path
from xml.etree import ElementTree

from pocketdet.conventions import ClassList
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.data_card import DataCard, write_data_card
from pocketdet.data.formats.image_store import ImageStore, Placed
from pocketdet.data.formats.losses import Losses
from pocketdet.data.formats.writable import WritableBox, decimal, writable_boxes
from pocketdet.data.progress import Progress, silent, track

CROWD = "boxes are marked as crowds, which VOC cannot hold: they are marked difficult instead"


def write_voc(dataset: Dataset, root: Path, *, progress: Progress = silent) -> Losses:
    """Write a folder in VOC format. An image that is in several splits is written once."""
    losses = Losses()
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (root / "Annotations").mkdir()
    store = ImageStore(root / "JPEGImages", losses)
    written: set[str] = set()
    for split, samples in dataset.splits.items():
        stems: list[str] = []
        for sample in track(samples, f"writing {split}", progress):
            placed = store.place(sample, prefix=split)
            if placed is None:
                continue
            stems.append(placed.stem)
            if placed.stem not in written:
                written.add(placed.stem)
                _write_annotation(root, placed, dataset, losses)
        text = "".join(f"{stem}\n" for stem in stems)
        (lists / f"{split}.txt").write_text(text, encoding="utf-8")
    write_data_card(root, DataCard(traits=dataset.traits, classes=dataset.classes))
    return losses


def _write_annotation(root: Path, placed: Placed, dataset: Dataset, losses: Losses) -> None:
    height, width = placed.sample.size
    top = ElementTree.Element("annotation")
    _add(top, "folder", "JPEGImages")
    _add(top, "filename", placed.file_name)
    size = ElementTree.SubElement(top, "size")
    for name, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, name, str(value))
    boxes = writable_boxes(placed.sample, num_classes=len(dataset.classes), losses=losses)
    losses.add(CROWD, sum(box.crowd for box in boxes))
    for box in boxes:
        top.append(_object(box, dataset.classes, dataset.traits.first_pixel))
    ElementTree.indent(top)
    file = root / "Annotations" / f"{placed.stem}.xml"
    ElementTree.ElementTree(top).write(file, encoding="utf-8")


def _object(box: WritableBox, classes: ClassList, first_pixel: int) -> ElementTree.Element:
    element = ElementTree.Element("object")
    _add(element, "name", classes[box.label])
    _add(element, "difficult", str(int(box.difficult or box.crowd)))
    corners = ElementTree.SubElement(element, "bndbox")
    _add(corners, "xmin", decimal(box.x1 + first_pixel))
    _add(corners, "ymin", decimal(box.y1 + first_pixel))
    _add(corners, "xmax", decimal(box.x2))
    _add(corners, "ymax", decimal(box.y2))
    return element


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text
