"""Boxes of one image as a reader collects them, before they become tensors."""

from dataclasses import dataclass, field
import math

from pocketdet.conventions import ImageFile, Sample

UNKNOWN_LABEL = -1
LARGEST_COORDINATE = 1e30  # beyond it, float32 arithmetic on areas would overflow


@dataclass(kw_only=True)
class AnnotationRows:
    """Lists that grow by one a box."""

    boxes_xyxy: list[tuple[float, float, float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    difficult: list[bool] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)

    def add(
        self,
        box_xyxy: tuple[float, float, float, float],
        label: int,
        *,
        difficult: bool = False,
        crowd: bool = False,
    ) -> None:
        """Add a box; a coordinate that float32 cannot hold becomes NaN."""
        x1, y1, x2, y2 = (
            value if abs(value) < LARGEST_COORDINATE else math.nan for value in box_xyxy
        )
        self.boxes_xyxy.append((x1, y1, x2, y2))
        self.labels.append(label)
        self.difficult.append(difficult)
        self.crowd.append(crowd)

    def sample(self, picture: ImageFile, image_id: str) -> Sample:
        """Make the sample of these boxes."""
        return Sample.of(
            picture,
            self.boxes_xyxy,
            self.labels,
            difficult=self.difficult,
            crowd=self.crowd,
            image_id=image_id,
        )


def number_or_nan(value: object) -> float:
    """Read a number from text or JSON; whatever is no finite number becomes NaN."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
