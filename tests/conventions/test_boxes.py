from hypothesis import given
from hypothesis import strategies as st
import pytest
import torch

from pocketdet.conventions import (
    clip_boxes,
    cxcywh_to_xyxy,
    pairwise_iou,
    xywh_to_xyxy,
    xyxy_to_cxcywh,
    xyxy_to_xywh,
)

coordinate = st.floats(-1000, 1000, width=32)
box = st.tuples(coordinate, coordinate, coordinate, coordinate)
some_boxes = st.lists(box, max_size=5).map(lambda rows: torch.tensor(rows).reshape(-1, 4))


@given(some_boxes)
def test_every_format_leads_back_to_corners(boxes_xyxy: torch.Tensor) -> None:
    for there, back in ((xyxy_to_cxcywh, cxcywh_to_xyxy), (xyxy_to_xywh, xywh_to_xyxy)):
        assert torch.allclose(back(there(boxes_xyxy)), boxes_xyxy, rtol=0, atol=1e-3)


def test_a_box_that_covers_the_image_is_as_wide_as_the_image() -> None:
    whole = torch.tensor([[0.0, 0.0, 64.0, 48.0]])
    assert xyxy_to_xywh(whole).tolist() == [[0, 0, 64, 48]]
    assert xyxy_to_cxcywh(whole).tolist() == [[32, 24, 64, 48]]


@given(some_boxes, some_boxes)
def test_iou_is_what_a_naive_loop_says(first: torch.Tensor, second: torch.Tensor) -> None:
    iou = pairwise_iou(first.double(), second.double())
    assert iou.shape == (len(first), len(second))
    for row, one in enumerate(first.tolist()):
        for column, other in enumerate(second.tolist()):
            assert iou[row, column].item() == pytest.approx(naive_iou(one, other), abs=1e-9)


def naive_iou(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [max(box[2] - box[0], 0) * max(box[3] - box[1], 0) for box in (one, other)]
    union = sum(areas) - shared
    return shared / union if union else 0.0


@given(some_boxes)
def test_clipped_boxes_lie_in_the_image(boxes_xyxy: torch.Tensor) -> None:
    clipped = clip_boxes(boxes_xyxy, height=48, width=64)
    assert clipped.shape == boxes_xyxy.shape
    assert ((clipped >= 0) & (clipped <= torch.tensor([64, 48, 64, 48]))).all()
    assert torch.equal(clip_boxes(clipped, height=48, width=64), clipped)
