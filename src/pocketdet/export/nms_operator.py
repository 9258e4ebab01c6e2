"""ONNX's NonMaxSuppression, as an operation that torch can run and export."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from pocketdet.conventions import DecodeSettings
from pocketdet.model.nms import batched_nms


class _SelectBoxes(Function):
    """`symbolic` is what the exporter writes, `forward` what runs here: they mean the same."""

    @staticmethod
    def symbolic(
        g: Any, boxes: Any, scores: Any, most: int, iou_threshold: float, score_threshold: float
    ) -> Any:
        return g.op(
            "NonMaxSuppression",
            boxes,
            scores,
            g.op("Constant", value_t=torch.tensor([most])),
            g.op("Constant", value_t=torch.tensor([iou_threshold])),
            g.op("Constant", value_t=torch.tensor([score_threshold])),
        )

    @staticmethod
    def forward(
        ctx: Any,
        boxes: Tensor,
        scores: Tensor,
        most: int,
        iou_threshold: float,
        score_threshold: float,
    ) -> Tensor:
        group, place = (scores[:, 0] > score_threshold).nonzero(as_tuple=True)
        kept = batched_nms(boxes[group, place], scores[group, 0, place], group, iou_threshold)
        return torch.stack([group[kept], torch.zeros_like(kept), place[kept]], dim=1)


def select_boxes(boxes_xyxy: Tensor, scores: Tensor, settings: DecodeSettings) -> Tensor:
    """Give (n, 3) int64 rows (group, 0, place) of what survives of (g, k, 4) and (g, 1, k)."""
    most = boxes_xyxy.shape[1]
    chosen: Tensor = _SelectBoxes.apply(
        boxes_xyxy, scores, int(most), settings.iou_threshold, settings.score_threshold
    )
    return chosen
