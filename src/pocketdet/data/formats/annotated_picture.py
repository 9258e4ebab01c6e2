"""The picture of an annotation that may or may not give its size."""

from pathlib import Path

from pocketdet.conventions import ImageFile, UnreadableImage
from pocketdet.data.formats.image_header import read_header
from pocketdet.data.problem import DAMAGED_IMAGE, MISSING_IMAGE, Problem

LARGEST_SIDE = 1_000_000


def annotated_picture(
    path: Path, *, height: float, width: float, split: str
) -> ImageFile | Problem:
    """Take the annotated size; where it is none (0, NaN), read it from the image's header."""
    if 1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE:
        return ImageFile(path, int(height), int(width))
    return measured_picture(path, split=split)


def measured_picture(path: Path, *, split: str) -> ImageFile | Problem:
    """Read the size from the image's header, or say what is wrong with the image."""
    try:
        header = read_header(path)
    except UnreadableImage as error:
        if not path.is_file():
            return Problem(kind=MISSING_IMAGE, split=split, file=path)
        return Problem(kind=DAMAGED_IMAGE, split=split, file=path, detail=str(error))
    return ImageFile(path, header.height, header.width)
