from dataclasses import replace
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
import pytest
import torch

from pocketdet.conventions import InputContract

side = st.integers(1, 200)
resizes = st.sampled_from(["warp", "letterbox"])


@given(side, side, side, side, resizes, st.integers(0, 2**31))
def test_boxes_find_their_way_back(
    height: int,
    width: int,
    input_height: int,
    input_width: int,
    resize: Literal["warp", "letterbox"],
    seed: int,
) -> None:
    contract = InputContract(height=input_height, width=input_width, resize=resize)
    placement = contract.placement(height, width)
    limits = torch.tensor([width, height, width, height])
    boxes = torch.rand(5, 4, generator=torch.Generator().manual_seed(seed)) * limits
    there = placement.to_input(boxes)
    assert torch.allclose(placement.to_image(there), boxes, rtol=0, atol=1e-2)
    inside = torch.tensor([input_width, input_height, input_width, input_height])
    assert ((there >= -1e-3) & (there <= inside + 1e-3)).all()


@given(side, side, side, side, resizes)
def test_a_fitted_picture_has_the_contract_s_size(
    height: int,
    width: int,
    input_height: int,
    input_width: int,
    resize: Literal["warp", "letterbox"],
) -> None:
    contract = InputContract(height=input_height, width=input_width, resize=resize)
    picture = torch.full((3, height, width), 200, dtype=torch.uint8)
    fitted, placement = contract.fit(picture)
    assert fitted.shape == (3, input_height, input_width)
    assert fitted.dtype == torch.uint8
    assert placement == contract.placement(height, width)


@pytest.mark.parametrize("resize", ["warp", "letterbox"])
def test_pixels_go_where_the_placement_says(resize: Literal["warp", "letterbox"]) -> None:
    """A bright block must lie in the input where its box is moved to."""
    picture = torch.zeros(3, 100, 200, dtype=torch.uint8)
    picture[:, 20:60, 40:120] = 255
    contract = InputContract(height=80, width=120, resize=resize, mean=(0, 0, 0))
    fitted, placement = contract.fit(picture)
    rows, columns = (fitted[0] > 127).nonzero().unbind(dim=1)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    expected = placement.to_input(torch.tensor([40.0, 20.0, 120.0, 60.0]))
    assert torch.allclose(torch.tensor(seen).float(), expected, atol=1)


@given(st.tuples(*[st.floats(0, 255)] * 3), st.tuples(*[st.floats(0.01, 1)] * 3))
def test_channel_order_moves_colours_only(
    mean: tuple[float, float, float], scale: tuple[float, float, float]
) -> None:
    rgb = InputContract(channel_order="RGB", mean=mean, scale=scale)
    bgr = replace(rgb, channel_order="BGR", mean=mean[::-1], scale=scale[::-1])
    images = torch.rand(2, 3, 4, 5) * 255
    assert torch.allclose(rgb.normalize(images).flip(-3), bgr.normalize(images))
    assert rgb.padding_rgb == bgr.padding_rgb


def test_pelee_s_numbers() -> None:
    """arXiv 1804.06882, Caffe release: BGR, mean subtracted, times 0.017."""
    picture = torch.tensor([255.0, 0.0, 0.0]).reshape(3, 1, 1)
    blue, green, red = InputContract().normalize(picture).flatten().tolist()
    assert blue == pytest.approx(-103.94 * 0.017)
    assert green == pytest.approx(-116.78 * 0.017)
    assert red == pytest.approx((255 - 123.68) * 0.017)


@pytest.mark.parametrize(
    ("field", "value"),
    [("height", 0), ("channel_order", "GBR"), ("resize", "crop"), ("interpolation", "best")],
)
def test_an_impossible_contract_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{field}` must be"):
        InputContract(**{field: value})
