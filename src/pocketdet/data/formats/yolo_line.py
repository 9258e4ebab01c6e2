"""The numbers of one line of a YOLO label file."""

from collections.abc import Sequence

from pocketdet.data.formats.annotation_rows import number_or_nan

BoxXyxy = tuple[float, float, float, float]


def box_xyxy_of(words: Sequence[str], *, height: int, width: int) -> BoxXyxy | None:
    """Turn what stands after the class into pixels; None when it is neither box nor polygon.

    A word that is no number gives NaN.
    """
    numbers = [number_or_nan(word) for word in words]
    if len(numbers) == 4:
        x1, y1, x2, y2 = _corners_of_box(*numbers)
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        x1, x2 = _extent(numbers[0::2])
        y1, y2 = _extent(numbers[1::2])
    else:
        return None
    return x1 * width, y1 * height, x2 * width, y2 * height


def _corners_of_box(cx: float, cy: float, width: float, height: float) -> BoxXyxy:
    return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2


def _extent(values: Sequence[float]) -> tuple[float, float]:
    blurred = sum(values) - sum(values)  # NaN when any of them is, which min and max overlook
    return min(values) + blurred, max(values) + blurred
