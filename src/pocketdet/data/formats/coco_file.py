"""One COCO JSON file, taken apart into entries that are sound."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any, NamedTuple

from pocketdet.data.formats.annotation_rows import number_or_nan
from pocketdet.data.problem import COLLIDING_IDS, MALFORMED, Problem, ProblemKind


class CocoImage(NamedTuple):
    """An entry of `images`; height and width are NaN where the file gives none."""

    id: Hashable
    file_name: str
    height: float
    width: float


class CocoBox(NamedTuple):
    """An entry of `annotations`; a coordinate that is no number is NaN."""

    id: Hashable
    image_id: Hashable
    category_id: Hashable
    xywh: tuple[float, float, float, float]
    crowd: bool


@dataclass(kw_only=True)
class CocoFile:
    """What one split's file says, and what in it was wrong."""

    split: str
    path: Path
    category_names: dict[Hashable, str] = field(default_factory=dict)
    images: dict[Hashable, CocoImage] = field(default_factory=dict)
    boxes: dict[Hashable, list[CocoBox]] = field(default_factory=dict)
    faults: list[Problem] = field(default_factory=list)

    def note(self, kind: ProblemKind, detail: str) -> None:
        self.faults.append(Problem(kind=kind, split=self.split, file=self.path, detail=detail))


def read_coco_file(split: str, path: Path) -> CocoFile | None:
    """Take a JSON file apart; None when it holds something else than a data set.

    A file that is no JSON gives a `CocoFile` without images, and its fault.
    """
    file = CocoFile(split=split, path=path)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        file.note(MALFORMED, f"no JSON: {error}")
        return file
    if not isinstance(content, dict) or not {"images", "annotations"} & content.keys():
        return None
    _take_categories(file, content)
    _take_images(file, content)
    _take_boxes(file, content)
    return file


def _take_categories(file: CocoFile, content: dict[str, Any]) -> None:
    for place, entry in _entries(file, content, "categories"):
        name = entry.get("name")
        if not _is_id(entry.get("id")) or not isinstance(name, (str, int)):
            file.note(MALFORMED, f"category {place} lacks an id or a name")
        elif entry["id"] in file.category_names:
            other = file.category_names[entry["id"]]
            file.note(COLLIDING_IDS, f"category id {entry['id']}: `{other}` and `{name}`")
        else:
            file.category_names[entry["id"]] = str(name)


def _take_images(file: CocoFile, content: dict[str, Any]) -> None:
    for place, entry in _entries(file, content, "images"):
        name = entry.get("file_name")
        if not _is_id(entry.get("id")) or not isinstance(name, str) or not name:
            file.note(MALFORMED, f"image {place} lacks an id or a file_name")
        elif entry["id"] in file.images:
            other = file.images[entry["id"]].file_name
            file.note(COLLIDING_IDS, f"image id {entry['id']}: {other} and {name}")
        else:
            height, width = (number_or_nan(entry.get(side)) for side in ("height", "width"))
            file.images[entry["id"]] = CocoImage(entry["id"], name, height, width)


def _take_boxes(file: CocoFile, content: dict[str, Any]) -> None:
    seen: set[Hashable] = set()
    for place, entry in _entries(file, content, "annotations"):
        xywh, image_id = entry.get("bbox"), entry.get("image_id")
        if not isinstance(xywh, list) or len(xywh) != 4:
            file.note(MALFORMED, f"annotation {place} has no bbox of four numbers")
            continue
        if not _is_id(image_id) or image_id not in file.images:
            file.note(MALFORMED, f"annotation {place} is for image {image_id!r}, not listed")
            continue
        own_id = entry.get("id")
        if own_id in seen:
            file.note(COLLIDING_IDS, f"annotation id {own_id} is used twice")
        if _is_id(own_id):
            seen.add(own_id)
        x, y, width, height = (number_or_nan(value) for value in xywh)
        category_id = entry.get("category_id")
        box = CocoBox(
            own_id if _is_id(own_id) else place,
            image_id,
            category_id if _is_id(category_id) else None,
            (x, y, width, height),
            entry.get("iscrowd") == 1,
        )
        file.boxes.setdefault(image_id, []).append(box)


def _entries(
    file: CocoFile, content: dict[str, Any], key: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    entries = content.get(key)
    if not isinstance(entries, list):
        file.note(MALFORMED, f"`{key}` is missing or no list")
        return
    for place, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield place, entry
        else:
            file.note(MALFORMED, f"{key} entry {place} is no object")


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str))
