"""From raw outputs to detections."""

from torch import Tensor

from pocketdet.conventions import DecodeSettings, Detections, clip_boxes
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.head import BoxCode, PointPredictions, Predictions, RawOutputs
from pocketdet.model.nms import detect_per_class


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
