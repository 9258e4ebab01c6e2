"""Which images belong to which split of a Pascal VOC folder."""

import os
from pathlib import Path

from pocketdet.data.dataset import split_order

EVERYTHING = "all"
PER_CLASS_FLAGS = ("1", "-1", "0")


def read_voc_splits(root: Path) -> dict[str, list[str]]:
    """Give the stems of each split, in the order of `ImageSets/Main/SPLIT.txt`.

    VOC's lists of one class (`dog_train.txt`: a stem and 1, 0 or -1 a line) are no splits.
    Without any list, every annotation is in the split `all`.
    """
    annotated = _annotated_stems(root / "Annotations")
    known = frozenset(annotated)
    splits: dict[str, list[str]] = {}
    lists = sorted((root / "ImageSets" / "Main").glob("*.txt"), key=lambda p: split_order(p.stem))
    for path in lists:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        stems = [line for line in lines if line]
        if not _is_list_of_one_class(stems, known):
            splits[path.stem] = stems
    return splits or {EVERYTHING: annotated}


def _annotated_stems(folder: Path) -> list[str]:
    names = (entry.name for entry in os.scandir(folder))
    return sorted(name.removesuffix(".xml") for name in names if name.endswith(".xml"))


def _is_list_of_one_class(lines: list[str], known: frozenset[str]) -> bool:
    return bool(lines) and all(
        len(parts := line.split()) == 2 and parts[1] in PER_CLASS_FLAGS and line not in known
        for line in lines
    )
