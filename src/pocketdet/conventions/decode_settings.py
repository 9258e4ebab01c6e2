"""What of a detector's outputs counts as detected."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DecodeSettings:
    """What to keep; the defaults are those that Pelee was measured with.

    - `score_threshold`: lowest score, in [0, 1];
    - `iou_threshold`: overlap above which the lesser box of the same class goes;
    - `max_per_class`: candidates a class before NMS;
    - `max_per_image`: detections an image after NMS.
    """

    score_threshold: float = 0.01
    iou_threshold: float = 0.45
    max_per_class: int = 400
    max_per_image: int = 200

    def __post_init__(self) -> None:
        for name in ("score_threshold", "iou_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]; got {getattr(self, name)}.")
        for name in ("max_per_class", "max_per_image"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
