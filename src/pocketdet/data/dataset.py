"""A labelled data set: its classes, its splits, and what it says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
import re
from typing import Literal, TypeAlias, get_args

from pocketdet.conventions import ClassList, Sample
from pocketdet.data.problem import Problem

Format: TypeAlias = Literal["voc", "coco", "yolo"]
FORMATS: tuple[Format, ...] = get_args(Format)

# Names that mean the same split, and the order in which splits are listed.
SPLIT_NAMES = (
    ("train", "training"),
    ("val", "valid", "validation"),
    ("trainval",),
    ("test", "testing"),
)


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a data set says about itself, in `pocketdet.yaml` beside its files.

    - `horizontal_flip`: a mirrored picture is still a right one (False for text and digits);
    - `first_pixel`: the number of the first pixel in VOC files. 0: continuous coordinates.
      1: as in VOC2007 and VOC2012, which count from 1 and include the last pixel, so that
      reading subtracts 1 from `xmin` and `ymin` and writing adds it back.
    """

    horizontal_flip: bool = True
    first_pixel: int = 0

    def __post_init__(self) -> None:
        if self.horizontal_flip not in (True, False):
            raise ValueError(
                f"`horizontal_flip` must be true or false; got {self.horizontal_flip!r}."
            )
        if self.first_pixel not in (0, 1):
            raise ValueError(f"`first_pixel` must be 0 or 1; got {self.first_pixel!r}.")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Samples by split, exactly as the files say: faulty boxes are still in it (see `repair`).

    - `classes`: the class list; a box of an unknown class has label -1;
    - `splits`: samples by the split's name, in the order of the files;
    - `root`: the folder; `format`: what it was read as;
    - `faults`: what the reader met that did not become a sample or a known label.
    """

    classes: ClassList
    splits: Mapping[str, list[Sample]]
    traits: Traits
    root: Path
    format: Format
    faults: tuple[Problem, ...] = ()

    def split(self, name: str) -> list[Sample]:
        """Give a split; `val` finds `valid` and `validation` too, and `train` finds `train2017`."""
        for candidate in (name, *split_synonyms(name)):
            if candidate in self.splits:
                return self.splits[candidate]
        with_year = [
            split for split in self.splits if re.fullmatch(re.escape(name) + r"\D?\d{4}", split)
        ]
        if len(with_year) == 1:
            return self.splits[with_year[0]]
        close = get_close_matches(name, list(self.splits), n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        raise ValueError(
            f"`{name}` is no split of {self.root}; there are {', '.join(self.splits)}.{hint}"
        )


def split_synonyms(name: str) -> tuple[str, ...]:
    """Give the other names that a split of this name goes by."""
    for group in SPLIT_NAMES:
        if name in group:
            return tuple(other for other in group if other != name)
    return ()


def split_order(name: str) -> tuple[int, str]:
    """Give the key that sorts splits: train, val, trainval, test, then the others by name."""
    for place, group in enumerate(SPLIT_NAMES):
        if name in group:
            return place, name
    return len(SPLIT_NAMES), name
