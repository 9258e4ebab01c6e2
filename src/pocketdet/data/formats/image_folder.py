"""Image files in folders."""

from collections.abc import Sequence
import os
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


def is_image_name(name: str) -> bool:
    """Say whether a file name ends as an image's does."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def list_images(folder: Path) -> list[Path]:
    """List the image files in a folder and below it, sorted by path."""
    found = [
        Path(parent) / name
        for parent, _, names in os.walk(folder)
        for name in names
        if is_image_name(name)
    ]
    return sorted(found)


def images_by_stem(folder: Path) -> dict[str, list[str]]:
    """Give the names of a folder's image files by their names without suffix."""
    by_stem: dict[str, list[str]] = {}
    if folder.is_dir():
        for name in sorted(entry.name for entry in os.scandir(folder)):
            if is_image_name(name):
                by_stem.setdefault(Path(name).stem, []).append(name)
    return by_stem


def image_ids(names: Sequence[str]) -> list[str]:
    """Give each image's name without suffix, or with it where two would be the same."""
    ids: list[str] = []
    taken: set[str] = set()
    for name in names:
        short = Path(name).with_suffix("").as_posix()
        own = name if short in taken else short
        while own in taken:
            own += "_"
        taken.add(own)
        ids.append(own)
    return ids
