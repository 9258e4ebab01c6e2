from hypothesis import given
from hypothesis import strategies as st
import pytest
import torch

from pocketdet.conventions import cxcywh_to_xyxy
from pocketdet.model import BoxCoder

SIZES = st.floats(1, 400)
PLACES = st.floats(-50, 400)
BOXES = st.tuples(PLACES, PLACES, SIZES, SIZES)


@given(BOXES, BOXES)
def test_decoding_gives_back_what_was_encoded(box, prior) -> None:
    box_xyxy = cxcywh_to_xyxy(torch.tensor([box], dtype=torch.float64))
    priors = torch.tensor([prior], dtype=torch.float64)
    growth = torch.tensor(box)[2:] / torch.tensor(prior)[2:]
    if growth.max() > 60:
        return  # beyond the largest growth, sizes are cut on purpose
    coder = BoxCoder()
    back = coder.decode(coder.encode(box_xyxy, priors), priors)
    assert torch.allclose(back, box_xyxy, atol=1e-6)


def test_the_code_is_the_papers_equation() -> None:
    prior = torch.tensor([[100.0, 50.0, 40.0, 20.0]])
    box = cxcywh_to_xyxy(torch.tensor([[104.0, 49.0, 80.0, 10.0]]))
    deltas = BoxCoder().encode(box, prior)
    log2 = 0.6931472
    expected = [4 / 40 / 0.1, -1 / 20 / 0.1, log2 / 0.2, -log2 / 0.2]
    assert deltas[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_a_box_without_area_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="`boxes_xyxy` must have positive width"):
        BoxCoder().encode(torch.tensor([[5.0, 5, 5, 9]]), torch.tensor([[5.0, 5, 5, 5]]))


def test_an_absurd_delta_stays_finite() -> None:
    boxes = BoxCoder().decode(torch.full((1, 4), 1e4), torch.tensor([[5.0, 5, 5, 5]]))
    assert boxes.isfinite().all()
