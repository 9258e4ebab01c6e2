"""An image's size and EXIF orientation from its first bytes, without decoding it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pocketdet.conventions import UnreadableImage
from pocketdet.conventions.image_decoding import decode_rgb

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ImageHeader:
    """Stored size in pixels, and EXIF's orientation (1: as stored, 2 to 8: turned or mirrored)."""

    height: int
    width: int
    orientation: int = 1


def read_header(path: Path) -> ImageHeader:
    """Read the header of a JPEG or PNG; what is neither, or odd, is decoded instead.

    Raises `UnreadableImage` when there is no image.
    """
    try:
        with path.open("rb") as file:
            header = parse_header(file)
            if header is not None:
                return header
            file.seek(0)
            height, width = decode_rgb(file.read(), name=str(path)).shape[:2]
            return ImageHeader(height, width)
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error


def parse_header(file: BinaryIO) -> ImageHeader | None:
    """Parse the header from the file's place on; None when it is no sound JPEG or PNG."""
    start = file.read(24)
    if start.startswith(PNG_SIGNATURE) and start[12:16] == b"IHDR" and len(start) == 24:
        width = int.from_bytes(start[16:20], "big")
        height = int.from_bytes(start[20:24], "big")
        return ImageHeader(height, width) if height > 0 and width > 0 else None
    if start.startswith(b"\xff\xd8\xff"):
        file.seek(2)
        return _parse_jpeg(file)
    return None


def ends_properly(path: Path) -> bool:
    """Say whether the file ends as a whole JPEG or PNG does (a few trailing zeros allowed).

    False does not mean damaged: other formats and trailing data end otherwise too.
    """
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 64))
        tail = file.read().rstrip(b"\0")
    return tail.endswith((b"\xff\xd9", b"IEND\xaeB`\x82"))


def _parse_jpeg(file: BinaryIO) -> ImageHeader | None:
    orientation = 1
    while (marker := _next_marker(file)) is not None:
        if marker in STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if length < 0:
            return None
        segment = file.read(length)
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(segment[6:])
        if marker in START_OF_FRAME:
            height = int.from_bytes(segment[1:3], "big")
            width = int.from_bytes(segment[3:5], "big")
            whole = len(segment) == length and height > 0 and width > 0
            return ImageHeader(height, width, orientation) if whole else None
    return None


def _next_marker(file: BinaryIO) -> int | None:
    if file.read(1) != b"\xff":
        return None
    byte = b"\xff"
    while byte == b"\xff":  # any number of fill bytes may stand before a marker
        byte = file.read(1)
    return byte[0] if byte else None


def _exif_orientation(tiff: bytes) -> int:
    order = "little" if tiff[:2] == b"II" else "big"
    directory = int.from_bytes(tiff[4:8], order)
    num_entries = int.from_bytes(tiff[directory : directory + 2], order)
    for place in range(num_entries):
        entry = tiff[directory + 2 + 12 * place : directory + 14 + 12 * place]
        if int.from_bytes(entry[:2], order) == EXIF_ORIENTATION:
            value = int.from_bytes(entry[8:10], order)
            return value if 1 <= value <= 8 else 1
    return 1
