"""Where the name tags of boxes go, so that they cover each other as little as possible."""

from collections.abc import Sequence

Place = tuple[float, float]
Rectangle = tuple[float, float, float, float]


def place_tags(
    boxes: Sequence[Rectangle], sizes: Sequence[Place], *, height: int, width: int
) -> list[Place]:
    """Give the top left corner of each tag, in the boxes' order; earlier ones choose first.

    `boxes` are xyxy and `sizes` the tags' (width, height), all in pixels of a picture of
    `height` × `width`. A tag stands above its box, else inside, below or at the right, at
    the first of these that is free, else where it covers least of the others.
    """
    taken: list[Rectangle] = []
    places: list[Place] = []
    for box, (tag_width, tag_height) in zip(boxes, sizes, strict=True):
        candidates = [
            (
                min(max(x, 0.0), max(width - tag_width, 0.0)),
                min(max(y, 0.0), max(height - tag_height, 0.0)),
            )
            for x, y in _corners(box, tag_width, tag_height)
        ]
        covered = [
            sum(_overlap((x, y, x + tag_width, y + tag_height), other) for other in taken)
            for x, y in candidates
        ]
        x, y = candidates[covered.index(min(covered))]
        taken.append((x, y, x + tag_width, y + tag_height))
        places.append((x, y))
    return places


def _corners(box: Rectangle, tag_width: float, tag_height: float) -> list[Place]:
    x1, y1, x2, y2 = box
    return [
        (x1, y1 - tag_height),
        (x1, y2),
        (x2 - tag_width, y1 - tag_height),
        (x1, y1),
        (x2 - tag_width, y2),
        (x1, y2 - tag_height),
        (x2, y1),
        (x1 - tag_width, y1),
    ]


def _overlap(first: Rectangle, second: Rectangle) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)
