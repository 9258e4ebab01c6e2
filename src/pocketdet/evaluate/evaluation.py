"""What an evaluation found."""

from dataclasses import asdict, dataclass
import json
import math
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One class. Precisions and recalls are in [0, 1], or NaN when the class has no scored box.

    - `ap`, `ap50`, `ap75`, `ar_100`: as in `Evaluation`, of this class;
    - `voc07_ap50`, `area_ap50`: VOC's two precisions at IoU .5;
    - `num_boxes`: boxes that are scored; `num_detections`: whatever their score.
    """

    name: str
    ap: float
    ap50: float
    ap75: float
    ar_100: float
    voc07_ap50: float
    area_ap50: float
    num_boxes: int
    num_detections: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PrecisionCurves:
    """Precision at 101 recalls, as COCO interpolates it; NaN for a class without a box.

    - `recall`: (101,), from 0 to 1;
    - `at_50`, `at_75`: (num_classes, 101), at IoU .5 and .75.
    """

    recall: NDArray[Any]
    at_50: NDArray[Any]
    at_75: NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """How well detections agree with the boxes of a data set.

    COCO's twelve numbers, in [0, 1] (Lin et al. 2014, arXiv 1405.0312; cocodataset.org): `ap` is
    the mean over IoU .50:.05:.95, over classes and over 101 recalls; `ap50`, `ap75` at one IoU;
    `ap_small`, `ap_medium`, `ap_large` of boxes below 32², up to 96² and above, in pixels of the
    image; `ar_1`, `ar_10`, `ar_100` the mean recall with so many detections an image. A number
    for which there is nothing to score (no small box, say) is NaN, and `null` in JSON.

    `voc07_map50` (eleven points) and `area_map50` (every point) are VOC's (Everingham et al.
    2010) at IoU .5. `num_boxes` counts what is scored: neither difficult nor crowd.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar_1: float
    ar_10: float
    ar_100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    voc07_map50: float
    area_map50: float
    classes: tuple[ClassResult, ...]
    curves: PrecisionCurves
    num_images: int
    num_boxes: int
    num_detections: int
    seconds: float

    def to_data(self) -> dict[str, Any]:
        """Give all numbers as plain data that JSON can hold, without the curves."""
        numbers = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("classes", "curves")
        }
        return _none_for_nan({**numbers, "classes": [asdict(result) for result in self.classes]})

    def to_json(self) -> str:
        """Give `to_data` as one JSON document."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False)


def _none_for_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _none_for_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_none_for_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
