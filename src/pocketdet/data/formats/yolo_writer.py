"""Write YOLO txt: `images/SPLIT/`, `labels/SPLIT/` and `data.yaml`."""

from pathlib import Path
from typing import Any

from pocketdet.conventions import ImageFile, Sample, UnreadableImage
from pocketdet.data.dataset import Dataset, split_synonyms
from pocketdet.data.formats.data_card import DataCard, write_data_card, write_yaml
from pocketdet.data.formats.image_header import read_header
from pocketdet.data.formats.image_store import ImageStore, Placed
from pocketdet.data.formats.losses import Losses
from pocketdet.data.formats.writable import WritableBox, writable_boxes
from pocketdet.data.formats.yolo_layout import NO_SPLITS
from pocketdet.data.progress import Progress, silent, track

DIFFICULT = "boxes are marked difficult, which YOLO cannot hold: they are ordinary boxes now"
CROWD = "boxes are marked as crowds, which YOLO cannot hold: they are ordinary boxes now"


def write_yolo(dataset: Dataset, root: Path, *, progress: Progress = silent) -> Losses:
    """Write a folder in YOLO format. The images of a split are read back in sorted order."""
    losses = Losses()
    content: dict[str, Any] = {}
    for split, samples in dataset.splits.items():
        if split in NO_SPLITS:
            raise ValueError(f"a split cannot be called `{split}` in YOLO's data.yaml.")
        content[_key(split, dataset)] = f"images/{split}"
        labels = root / "labels" / split
        labels.mkdir(parents=True)
        store = ImageStore(root / "images" / split, losses)
        for sample in track(samples, f"writing {split}", progress):
            placed = store.place(sample)
            if placed is not None:
                text = _label_text(placed, num_classes=len(dataset.classes), losses=losses)
                (labels / f"{placed.stem}.txt").write_text(text, encoding="utf-8")
    content["nc"] = len(dataset.classes)
    content["names"] = list(dataset.classes)
    write_yaml(root / "data.yaml", content)
    write_data_card(root, DataCard(traits=dataset.traits))
    return losses


def _key(split: str, dataset: Dataset) -> str:
    """Give the key that YOLO tools look for: `valid` stands under `val`, in its own folder."""
    for usual in split_synonyms(split):
        if usual in ("train", "val", "test") and usual not in dataset.splits:
            return usual
    return split


def _label_text(placed: Placed, *, num_classes: int, losses: Losses) -> str:
    boxes = writable_boxes(placed.sample, num_classes=num_classes, losses=losses)
    losses.add(DIFFICULT, sum(box.difficult for box in boxes))
    losses.add(CROWD, sum(box.crowd for box in boxes))
    height, width = _stored_size(placed.sample)
    return "".join(_line(box, height, width) for box in boxes)


def _stored_size(sample: Sample) -> tuple[int, int]:
    """Give the image's own size, whatever the annotation says: shares are of the image."""
    if not isinstance(sample.picture, ImageFile):
        return sample.size
    try:
        header = read_header(sample.picture.path)
    except UnreadableImage:
        return sample.size
    return header.height, header.width


def _line(box: WritableBox, height: int, width: int) -> str:
    shares = (
        (box.x1 + box.x2) / 2 / width,
        (box.y1 + box.y2) / 2 / height,
        (box.x2 - box.x1) / width,
        (box.y2 - box.y1) / height,
    )
    return f"{box.label} {' '.join(f'{share:.9g}' for share in shares)}\n"
