"""NumPy's preprocessing, decoding and NMS say what torch's say."""

from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, DecodeSettings, InputContract
from pocketdet.model import BoxCoder, DistanceCoder
from pocketdet.model.cells import place_cells
from pocketdet.model.decode import decode, scored_boxes
from pocketdet.model.head import PointPredictions, Predictions, RawOutputs
from pocketdet.model.nms import detect_per_class as detect_with_torch
from pocketdet.runtime import Card, CellOutputs, FileInput, FileOutputs, PriorOutputs
from pocketdet.runtime.decode import decode_outputs
from pocketdet.runtime.decode import scored_boxes as boxes_by_numpy
from pocketdet.runtime.nms import detect_per_class
from pocketdet.runtime.outputs import as_places

CLASSES = ClassList.of(["ant", "bee", "cat"])
side = st.integers(1, 90)


def card_of(outputs: FileOutputs, *, size: tuple[int, int] = (48, 64)) -> Card:
    contract = InputContract(height=size[0], width=size[1])
    return Card(
        runtime="onnx", input=FileInput(contract=contract), outputs=outputs, classes=CLASSES
    )


def prior_example() -> tuple[RawOutputs, dict[str, Any], Card, BoxCoder]:
    cells = place_cells([(6, 8), (3, 4)], (48, 64))
    coder = BoxCoder()
    raw = Predictions(torch.randn(2, len(cells), 4) * 3, torch.randn(2, len(cells), 4) * 3, cells)
    outputs = PriorOutputs(variances=coder.variances, places_cxcywh=as_places(cells.numpy()))
    named = {"class_logits": raw.class_logits.numpy(), "box_deltas": raw.box_deltas.numpy()}
    return raw, named, card_of(outputs), coder


def cell_example() -> tuple[RawOutputs, dict[str, Any], Card, DistanceCoder]:
    cells = place_cells([(6, 8), (3, 4)], (48, 64))
    coder = DistanceCoder(num_bins=5)
    raw = PointPredictions(
        torch.randn(2, len(cells), 3) * 3, torch.randn(2, len(cells), 4, 5) * 3, cells
    )
    outputs = CellOutputs(
        num_bins=coder.num_bins, lowest=coder.lowest, places_cxcywh=as_places(cells.numpy())
    )
    named = {"class_logits": raw.class_logits.numpy(), "side_logits": raw.side_logits.numpy()}
    return raw, named, card_of(outputs), coder


@pytest.mark.parametrize("example", [prior_example, cell_example])
@pytest.mark.parametrize("seed", range(10))
def test_raw_outputs_mean_the_same_boxes_and_scores(example: Any, seed: int) -> None:
    torch.manual_seed(seed)
    raw, named, card, coder = example()
    boxes, scores = scored_boxes(raw, coder)
    found, found_scores = boxes_by_numpy(named, card)
    assert np.abs(found - boxes.numpy()).max() < 1e-4
    assert np.abs(found_scores - scores.numpy()).max() < 1e-6


@pytest.mark.parametrize("example", [prior_example, cell_example])
@pytest.mark.parametrize("seed", range(10))
def test_raw_outputs_give_the_same_detections(example: Any, seed: int) -> None:
    torch.manual_seed(seed)
    raw, named, card, coder = example()
    settings = DecodeSettings(score_threshold=0.1, max_per_class=30, max_per_image=25)
    expected = decode(raw, box_coder=coder, input_size=(48, 64), settings=settings)
    found = decode_outputs(named, card, settings, batch_size=2)
    for one, other in zip(found, expected, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert np.abs(one.boxes_xyxy - other.boxes_xyxy.numpy()).max() < 1e-4
        assert np.abs(one.scores - other.scores.numpy()).max() < 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_nms_keeps_exactly_what_torch_keeps_with_ties(seed: int) -> None:
    torch.manual_seed(seed)
    low = torch.rand(300, 2) * [20.0, 200.0][seed % 2]
    boxes = torch.cat([low, low + 5 + torch.rand(300, 2) * 30], dim=1).round()
    scores = (torch.rand(300, 6) * 16).round() / 16
    per_class, per_image = [(7, 5), (50, 60), (400, 1000)][seed % 3]
    settings = DecodeSettings(
        score_threshold=[0.01, 0.5, 0.95, 1.0][seed % 4],
        iou_threshold=[0.0, 0.45, 0.9][seed % 3],
        max_per_class=per_class,
        max_per_image=per_image,
    )
    expected = _with_torch(boxes, scores, settings)
    found = detect_per_class(boxes.numpy(), scores.numpy(), settings)
    for one, other in zip((found.boxes_xyxy, found.scores, found.labels), expected, strict=True):
        assert np.array_equal(one, other.numpy())


def _with_torch(
    boxes: Tensor, scores: Tensor, settings: DecodeSettings
) -> tuple[Tensor, Tensor, Tensor]:
    return detect_with_torch(
        boxes,
        scores,
        score_threshold=settings.score_threshold,
        iou_threshold=settings.iou_threshold,
        max_per_class=settings.max_per_class,
        max_per_image=settings.max_per_image,
    )


@given(side, side, side, side, st.sampled_from(["warp", "letterbox"]), st.integers(0, 2**31))
def test_pictures_and_boxes_are_placed_as_by_torch(
    height: int,
    width: int,
    input_height: int,
    input_width: int,
    resize: Literal["warp", "letterbox"],
    seed: int,
) -> None:
    contract = InputContract(height=input_height, width=input_width, resize=resize)
    picture = torch.randint(
        256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )
    tensor, placement = contract.fit(picture)
    pixels, array_placement = contract.fit_pixels(picture.permute(1, 2, 0).numpy())
    assert placement == array_placement
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), pixels)
    boxes = torch.rand(4, 4) * 50
    assert np.allclose(placement.array_to_image(boxes.numpy()), placement.to_image(boxes).numpy())


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_normalization_is_the_same_to_the_bit(order: Literal["RGB", "BGR"]) -> None:
    contract = InputContract(channel_order=order, mean=(10, 20, 30), scale=(0.01, 0.02, 0.03))
    images = torch.randint(0, 256, (2, 3, 7, 9), dtype=torch.uint8)
    assert np.array_equal(
        contract.normalize_array(images.numpy()), contract.normalize(images).numpy()
    )
