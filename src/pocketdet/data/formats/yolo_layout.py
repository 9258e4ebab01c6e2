"""What `data.yaml` of a YOLO data set says: its classes, and each split's images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketdet.conventions import ClassList
from pocketdet.data.dataset import SPLIT_NAMES, split_order
from pocketdet.data.formats.data_card import DATA_CARD, read_yaml
from pocketdet.data.formats.image_folder import list_images

USUAL_SPLITS = frozenset(name for group in SPLIT_NAMES for name in group)
NO_SPLITS = frozenset({"path", "names", "nc", "download", "roboflow"})


@dataclass(frozen=True, kw_only=True)
class YoloLayout:
    """A `data.yaml` with every path looked up.

    - `label_of`: from the number in the label files to the place in the class list;
    - `sources`: for each split its image folders or text files that list images.
    """

    file: Path
    classes: ClassList
    label_of: dict[int, int]
    sources: dict[str, list[Path]]


def find_data_yaml(root: Path) -> Path | None:
    """Find `data.yaml`, or else the first YAML file that gives names and a train or val path."""
    if (root / "data.yaml").is_file():
        return root / "data.yaml"
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        if path.name != DATA_CARD:
            content = path.read_text(encoding="utf-8", errors="replace")
            if "names:" in content and ("train:" in content or "val:" in content):
                return path
    return None


def read_yolo_layout(file: Path) -> YoloLayout:
    """Read a `data.yaml`; its paths may be what Roboflow or Ultralytics write."""
    content = read_yaml(file)
    number_to_name = _names(content, file)
    base = file.parent / str(content.get("path") or ".")
    sources: dict[str, list[Path]] = {}
    for key, value in content.items():
        given = [value] if isinstance(value, str) else value
        if key in NO_SPLITS or not isinstance(given, list) or not given:
            continue
        found = [_look_up(str(text), base, file.parent) for text in given]
        if key in USUAL_SPLITS or all(path.exists() for path in found):
            sources[_split_name(str(key), found[0])] = found
    if not sources:
        raise ValueError(f"{file} names no split: it needs `train`, `val` or `test`.")
    return YoloLayout(
        file=file,
        classes=ClassList.of(number_to_name.values()),
        label_of={number: label for label, number in enumerate(number_to_name)},
        sources=dict(sorted(sources.items(), key=lambda item: split_order(item[0]))),
    )


def images_of(source: Path) -> Iterator[Path]:
    """Give the images of a folder, or those that a text file lists, one a line."""
    if source.is_file():
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield source.parent / line.strip()
    else:
        yield from list_images(source)


def label_file(image: Path) -> Path:
    """Give an image's label file: the last folder `images` in its path becomes `labels`."""
    parts = list(image.parent.parts)
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        parts[last] = "labels"
    return Path(*parts) / f"{image.stem}.txt"


def _names(content: dict[Any, Any], file: Path) -> dict[int, str]:
    names = content.get("names")
    if isinstance(names, list) and names:
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and names:
        numbers = {number: str(name) for number, name in names.items() if str(number).isdigit()}
        if len(numbers) == len(names):
            return {int(number): numbers[number] for number in sorted(numbers, key=int)}
    raise ValueError(
        f"`names` in {file} must be a list of class names, or numbers with names; got {names!r}."
    )


def _look_up(text: str, base: Path, folder: Path) -> Path:
    """Resolve a path. Roboflow writes `../train/images` where `train/images` is meant."""
    bare = text
    while bare.startswith("../"):
        bare = bare.removeprefix("../")
    for candidate in (base / text, folder / text, base / bare, folder / bare):
        if candidate.exists():
            return candidate.resolve() if ".." in candidate.parts else candidate
    return folder / bare


def _split_name(key: str, folder: Path) -> str:
    """Name the split by its folder where that is a synonym: `val: valid/images` is `valid`."""
    for group in SPLIT_NAMES:
        if key in group:
            return next((part for part in reversed(folder.parts) if part in group), key)
    return key
