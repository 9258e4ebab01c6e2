"""From raw outputs to detections."""

from dataclasses import dataclass

from torch import Tensor

from pocketdet.conventions import Detections, clip_boxes
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.head import BoxCode, PointPredictions, Predictions, RawOutputs
from pocketdet.model.nms import detect_per_class


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


def decode(
    predictions: RawOutputs,
    *,
    box_coder: BoxCode,
    input_size: tuple[int, int],
    settings: DecodeSettings,
) -> list[Detections]:
    """Give each image's detections, in input pixels, clipped to the input of (height, width)."""
    height, width = input_size
    boxes_xyxy, scores = scored_boxes(predictions, box_coder)
    boxes_xyxy = clip_boxes(boxes_xyxy, height=height, width=width)
    return [
        _one_image(boxes, image_scores, settings)
        for boxes, image_scores in zip(boxes_xyxy, scores, strict=True)
    ]


def scored_boxes(predictions: RawOutputs, box_coder: BoxCode) -> tuple[Tensor, Tensor]:
    """Read raw outputs as boxes (b, p, 4), xyxy in input pixels, and scores (b, p, num_classes).

    With priors the scores are a softmax, in which background takes part only; without, each
    class has its own sigmoid.
    """
    match predictions, box_coder:
        case Predictions(logits, deltas, priors), BoxCoder():
            boxes_xyxy = box_coder.decode(deltas.float(), priors)
            return boxes_xyxy, logits.float().softmax(dim=-1)[..., 1:]
        case PointPredictions(logits, side_logits, cells), DistanceCoder():
            return box_coder.decode(side_logits.float(), cells), logits.float().sigmoid()
        case _:
            raise ValueError(
                f"`predictions` are {type(predictions).__name__}, which a "
                f"{type(box_coder).__name__} cannot read; the head names the wrong `box_coder`."
            )


def _one_image(boxes_xyxy: Tensor, scores: Tensor, settings: DecodeSettings) -> Detections:
    boxes_xyxy, scores, labels = detect_per_class(
        boxes_xyxy,
        scores,
        score_threshold=settings.score_threshold,
        iou_threshold=settings.iou_threshold,
        max_per_class=settings.max_per_class,
        max_per_image=settings.max_per_image,
    )
    return Detections(boxes_xyxy=boxes_xyxy, scores=scores, labels=labels)
