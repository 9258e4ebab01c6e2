"""One VOC annotation file, taken apart."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from pocketdet.data.formats.annotation_rows import number_or_nan

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocObject(NamedTuple):
    """A labelled object; the corners are as written, NaN where that is no number."""

    class_name: str
    corners: tuple[float, float, float, float]
    difficult: bool


class VocFile(NamedTuple):
    """What a file says; height and width are NaN where it gives none.

    `malformed` lists the places of objects without a name or without a side of their box.
    """

    image_name: str
    height: float
    width: float
    objects: list[VocObject]
    malformed: list[int]


def read_voc_file(path: Path) -> VocFile:
    """Parse an annotation file; one that is no XML raises `ValueError`, or none `OSError`."""
    try:
        top = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError) as error:  # the latter: an unknown encoding
        raise ValueError(f"no XML: {error}") from error
    objects: list[VocObject] = []
    malformed: list[int] = []
    for place, element in enumerate(top.iterfind("object")):
        found = _read_object(element)
        if found is None:
            malformed.append(place)
        else:
            objects.append(found)
    return VocFile(
        image_name=(top.findtext("filename") or "").strip(),
        height=number_or_nan(top.findtext("size/height")),
        width=number_or_nan(top.findtext("size/width")),
        objects=objects,
        malformed=malformed,
    )


def _read_object(element: ElementTree.Element) -> VocObject | None:
    class_name, box = element.findtext("name"), element.find("bndbox")
    if class_name is None or box is None:
        return None
    sides = [box.findtext(side) for side in CORNERS]
    if None in sides:
        return None
    x1, y1, x2, y2 = (number_or_nan(side) for side in sides)
    difficult = (element.findtext("difficult") or "").strip() == "1"
    return VocObject(class_name, (x1, y1, x2, y2), difficult)
