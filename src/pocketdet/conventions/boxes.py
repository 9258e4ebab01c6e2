"""Box formats and overlap. A box's format is in its variable's name.

All coordinates are continuous: pixel `i` covers `[i, i + 1)`, so the whole of an image that is
`width` wide is `x1 = 0, x2 = width`, and a box's width is `x2 - x1` without any "+ 1".

- `xyxy`: left, top, right, bottom;
- `cxcywh`: centre x, centre y, width, height;
- `xywh`: left, top, width, height (COCO's files).
"""

import torch
from torch import Tensor


def xyxy_to_cxcywh(boxes_xyxy: Tensor) -> Tensor:
    """Turn (..., 4) corners into centres and sizes, in the same unit."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def cxcywh_to_xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Turn (..., 4) centres and sizes into corners, in the same unit."""
    centre, half = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def xyxy_to_xywh(boxes_xyxy: Tensor) -> Tensor:
    """Turn (..., 4) corners into the top left corner and the size, in the same unit."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([low, high - low], dim=-1)


def xywh_to_xyxy(boxes_xywh: Tensor) -> Tensor:
    """Turn (..., 4) top left corners and sizes into corners, in the same unit."""
    low, size = boxes_xywh[..., :2], boxes_xywh[..., 2:]
    return torch.cat([low, low + size], dim=-1)


def box_area(boxes_xyxy: Tensor) -> Tensor:
    """Give the area (...,) of boxes (..., 4); a box with swapped corners has area 0."""
    size = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def pairwise_intersection(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """Give the (..., n, m) shared areas of boxes (..., n, 4) and (..., m, 4)."""
    # A contiguous plane for each coordinate is 5 to 20 times as fast as strides of 4.
    left, top, right, bottom = first_xyxy.movedim(-1, 0).contiguous()[..., :, None]
    other_left, other_top, other_right, other_bottom = second_xyxy.movedim(-1, 0).contiguous()[
        ..., None, :
    ]
    width = torch.minimum(right, other_right) - torch.maximum(left, other_left)
    height = torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top)
    return width.clamp(min=0) * height.clamp(min=0)


def pairwise_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """Give the (..., n, m) intersection over union, in [0, 1].

    Two boxes without area overlap by 0, not by 0 / 0.
    """
    shared = pairwise_intersection(first_xyxy, second_xyxy)
    area = box_area(first_xyxy)[..., :, None] + box_area(second_xyxy)[..., None, :]
    return shared / (area - shared).clamp(min=torch.finfo(shared.dtype).tiny)


def clip_boxes(boxes_xyxy: Tensor, *, height: float, width: float) -> Tensor:
    """Cut boxes (..., 4) off at the borders of an image, in the boxes' unit."""
    x = boxes_xyxy[..., 0::2].clamp(0, width)
    y = boxes_xyxy[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)
