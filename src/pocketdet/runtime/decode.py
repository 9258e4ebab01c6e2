"""From the outputs of an exported file to detections, in NumPy; equals `pocketdet.model.decode`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.runtime.card import Card
from pocketdet.runtime.detections import DetectionArrays
from pocketdet.runtime.nms import detect_per_class
from pocketdet.runtime.outputs import BoxOutputs, CellOutputs, DetectionRows, PriorOutputs

Outputs = Mapping[str, NDArray[Any]]


def decode_outputs(
    outputs: Outputs, card: Card, settings: DecodeSettings, *, batch_size: int
) -> list[DetectionArrays]:
    """Give each picture's detections, in input pixels, clipped to the input."""
    if isinstance(card.outputs, DetectionRows):
        return _from_rows(outputs[card.outputs.detections], card, settings, batch_size)
    boxes_xyxy, scores = scored_boxes(outputs, card)
    boxes_xyxy = clip_boxes(boxes_xyxy, height=card.contract.height, width=card.contract.width)
    return [
        detect_per_class(boxes, image_scores, settings)
        for boxes, image_scores in zip(boxes_xyxy, scores, strict=True)
    ]


def scored_boxes(outputs: Outputs, card: Card) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read outputs as boxes (b, p, 4), xyxy in input pixels, and scores (b, p, num_classes)."""
    match card.outputs:
        case PriorOutputs() as own:
            scores = softmax(_float32(outputs[own.class_logits]))[..., 1:]
            return decode_deltas(_float32(outputs[own.box_deltas]), own), scores
        case CellOutputs() as own:
            scores = sigmoid(_float32(outputs[own.class_logits]))
            return decode_sides(_float32(outputs[own.side_logits]), own), scores
        case BoxOutputs() as own:
            return _float32(outputs[own.boxes_xyxy]), _float32(outputs[own.scores])
        case DetectionRows():
            raise ValueError(
                "`card.outputs` are finished detections, which have no boxes before NMS."
            )


def decode_deltas(deltas: NDArray[Any], own: PriorOutputs) -> NDArray[Any]:
    """Read deltas (b, p, 4) relative to priors as xyxy boxes (equation 2 of SSD)."""
    priors = np.array(own.places_cxcywh, np.float32)
    deltas = deltas * np.array(own.variances, np.float32)
    centre = priors[:, :2] + deltas[..., :2] * priors[:, 2:]
    growth = np.minimum(deltas[..., 2:], np.float32(own.largest_growth))
    half = priors[:, 2:] * np.exp(growth) / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def decode_sides(side_logits: NDArray[Any], own: CellOutputs) -> NDArray[Any]:
    """Read distributions (b, p, 4, num_bins) of distances from cells as xyxy boxes."""
    cells = np.array(own.places_cxcywh, np.float32)
    values = np.arange(own.num_bins, dtype=np.float32) + np.float32(own.lowest)
    distances = (softmax(side_logits) * values).sum(axis=-1)
    low = cells[:, :2] - distances[..., :2] * cells[:, 2:]
    high = cells[:, :2] + distances[..., 2:] * cells[:, 2:]
    return np.concatenate([low, high], axis=-1)


def clip_boxes(boxes_xyxy: NDArray[Any], *, height: float, width: float) -> NDArray[Any]:
    """Cut boxes (..., 4) off at the borders of a picture, in the boxes' unit."""
    limits = np.array([width, height, width, height], boxes_xyxy.dtype)
    return np.clip(boxes_xyxy, 0, limits)


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Turn logits into shares along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """Turn logits into shares, each by itself; no exponential of a positive number is taken."""
    powers = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, powers) / (1 + powers)


def _from_rows(
    rows: NDArray[Any], card: Card, settings: DecodeSettings, batch_size: int
) -> list[DetectionArrays]:
    """Sort rows by picture and score; the file has applied the card's own thresholds."""
    own = card.detection
    asked = (settings.iou_threshold, settings.max_per_class)
    if asked != (own.iou_threshold, own.max_per_class) or (
        settings.score_threshold < own.score_threshold
    ):
        raise ValueError(
            "`settings` must have the NMS that is inside the file, IoU "
            f"{own.iou_threshold:g} and {own.max_per_class} a class, and no lower score than "
            f"{own.score_threshold:g}; got {asked[0]:g}, {asked[1]} and "
            f"{settings.score_threshold:g}. Export with `--nms outside` to choose them later."
        )
    results: list[DetectionArrays] = []
    for place in range(batch_size):
        mine = rows[(rows[:, 0] == place) & (rows[:, 5] > settings.score_threshold)]
        mine = mine[np.lexsort((mine[:, 6], -mine[:, 5]))][: settings.max_per_image]
        results.append(
            DetectionArrays(
                boxes_xyxy=_float32(mine[:, 1:5]),
                scores=_float32(mine[:, 5]),
                labels=mine[:, 6].astype(np.int64),
            )
        )
    return results


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)
