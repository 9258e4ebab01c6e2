"""Write COCO JSON: `annotations/instances_SPLIT.json`, images in `SPLIT/`, ids from 1."""

import json
from pathlib import Path
from typing import Any

from pocketdet.conventions import Sample
from pocketdet.data.dataset import Dataset
from pocketdet.data.formats.coco_layout import INSTANCES
from pocketdet.data.formats.data_card import DataCard, write_data_card
from pocketdet.data.formats.image_store import ImageStore
from pocketdet.data.formats.losses import Losses
from pocketdet.data.formats.writable import WritableBox, writable_boxes
from pocketdet.data.progress import Progress, silent, track

DIFFICULT = "boxes are marked difficult, which COCO cannot hold: they are ordinary boxes now"
NUM_DECIMALS = 4


def write_coco(dataset: Dataset, root: Path, *, progress: Progress = silent) -> Losses:
    """Write a folder in COCO format; the categories stand in the order of the class list."""
    losses = Losses()
    (root / "annotations").mkdir()
    for split, samples in dataset.splits.items():
        content = _Content(dataset, ImageStore(root / split, losses), losses)
        for sample in track(samples, f"writing {split}", progress):
            content.add(sample)
        path = root / "annotations" / f"{INSTANCES}{split}.json"
        path.write_text(json.dumps(content.as_json()), encoding="utf-8")
    write_data_card(root, DataCard(traits=dataset.traits))
    return losses


class _Content:
    """One split's file while it grows."""

    def __init__(self, dataset: Dataset, store: ImageStore, losses: Losses) -> None:
        self.classes = dataset.classes
        self.store = store
        self.losses = losses
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, sample: Sample) -> None:
        placed = self.store.place(sample)
        if placed is None:
            return
        height, width = sample.size
        image_id = len(self.images) + 1
        self.images.append(
            {"id": image_id, "file_name": placed.file_name, "width": width, "height": height}
        )
        for box in writable_boxes(sample, num_classes=len(self.classes), losses=self.losses):
            self.losses.add(DIFFICULT, int(box.difficult))
            self.annotations.append(self._annotation(box, image_id))

    def as_json(self) -> dict[str, Any]:
        categories = [{"id": label + 1, "name": name} for label, name in enumerate(self.classes)]
        return {
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories,
        }

    def _annotation(self, box: WritableBox, image_id: int) -> dict[str, Any]:
        width, height = box.x2 - box.x1, box.y2 - box.y1
        return {
            "id": len(self.annotations) + 1,
            "image_id": image_id,
            "category_id": box.label + 1,
            "bbox": [round(value, NUM_DECIMALS) for value in (box.x1, box.y1, width, height)],
            "area": round(width * height, NUM_DECIMALS),
            "iscrowd": int(box.crowd),
        }
