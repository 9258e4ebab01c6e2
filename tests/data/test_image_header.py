import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
import pytest

from pocketdet.conventions import UnreadableImage
from pocketdet.data.formats.image_header import (
    ImageHeader,
    ends_properly,
    parse_header,
    read_header,
)

KINDS = {
    "baseline": ("jpg", {}),
    "progressive": ("jpg", {"progressive": True}),
    "with a comment": ("jpg", {"comment": b"x" * 70}),
    "png": ("png", {}),
    "bmp, decoded": ("bmp", {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_size_is_the_decoder_s(kind: str, mode: str, tmp_path: Path) -> None:
    suffix, options = KINDS[kind]
    path = tmp_path / f"x.{suffix}"
    Image.new(mode, (37, 21)).save(path, **options)
    assert read_header(path) == ImageHeader(height=21, width=37)
    assert ends_properly(path) == (suffix != "bmp")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_is_read(orientation: int, order: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    Image.new("RGB", (8, 6)).save(tmp_path / "x.jpg", exif=exif)
    assert read_header(tmp_path / "x.jpg") == ImageHeader(6, 8, orientation)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_none(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\x00\x40Exif\0\0", b"\x89PNG\r\n\x1a\n"):
        header = parse_header(io.BytesIO(start + data))
        assert header is None or (header.height > 0 and header.width > 0)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"text"])
def test_what_is_no_image_says_so(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(UnreadableImage):
        read_header(tmp_path / "x.jpg")
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_header(tmp_path / "missing.jpg")
