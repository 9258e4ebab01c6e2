"""What every head keeps to, and what is each one's own."""

from dataclasses import replace

from head_examples import PRIORS, SMALL_HEADS
import pytest
import torch
from torch import nn

from pocketdet import recipes
from pocketdet.conventions import InputContract
from pocketdet.model import (
    BatchNorm,
    BoxCoder,
    DecodeSettings,
    Detector,
    DetectorConfig,
    DistanceCoder,
    ExtraConvs,
    GFLHead,
    GroupNorm,
    NoNorm,
    PeleeStem,
    PointPredictions,
    Predictions,
    PriorLevel,
    SSDLiteHead,
    TwoWayDense,
    build,
)
from pocketdet.model.cells import place_cells
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.cost import count_parameters
from pocketdet.model.decode import scored_boxes
from pocketdet.model.head import HEADS
from pocketdet.model.saved_detector import detector_from_data, detector_to_data
from pocketdet.model.summary import summarize

EVERY_HEAD = pytest.mark.parametrize("head", SMALL_HEADS.values(), ids=SMALL_HEADS.keys())

BASE = DetectorConfig(
    input=InputContract(height=64, width=64),
    stem=PeleeStem(channels=8),
    stages=(
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
    ),
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16, norm=BatchNorm()),),
    head=SMALL_HEADS["PeleeHead"],
)


def small(head, **changes) -> Detector:
    torch.manual_seed(0)
    return build(replace(BASE, head=head, **changes), num_classes=3)


def test_every_listed_head_is_tried_here() -> None:
    assert {type(head) for head in SMALL_HEADS.values()} == set(HEADS)


@EVERY_HEAD
def test_a_row_of_raw_outputs_has_a_place(head) -> None:
    detector = small(head).eval()
    outputs = detector(torch.rand(2, 3, 64, 64))
    assert outputs.places_cxcywh is detector.places_cxcywh
    boxes, scores = scored_boxes(outputs, detector.box_coder)
    assert boxes.shape == (2, len(detector.places_cxcywh), 4)
    assert scores.shape == (2, len(detector.places_cxcywh), 3)
    assert bool(((scores >= 0) & (scores <= 1)).all())


@EVERY_HEAD
@pytest.mark.parametrize("size", [(97, 61), (33, 130), (128, 128)])
def test_places_follow_the_maps_of_any_other_size(head, size) -> None:
    made_for_64 = small(head).eval()
    made_for_it = small(head, input=InputContract(height=size[0], width=size[1]))
    outputs = made_for_64(torch.rand(1, 3, *size))
    assert torch.equal(outputs.places_cxcywh, made_for_it.places_cxcywh)
    assert outputs.class_logits.shape[1] == len(made_for_it.places_cxcywh)


@EVERY_HEAD
def test_gradient_reaches_every_parameter(head) -> None:
    detector = small(head).train()
    outputs = detector(torch.rand(4, 3, 64, 64))
    parts = [part for part in outputs if part.requires_grad]
    assert len(parts) == 2
    sum((part * torch.randn_like(part)).sum() for part in parts).backward()
    dead = [
        name
        for name, parameter in detector.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    assert not dead


@EVERY_HEAD
def test_images_do_not_mix_in_evaluation(head) -> None:
    detector, images = small(head).eval(), torch.randn(3, 3, 64, 64)
    alone, together = detector(images[:1]), detector(images)
    assert torch.allclose(alone[0][0], together[0][0], atol=1e-5)
    assert torch.allclose(alone[1][0], together[1][0], atol=1e-5)


@EVERY_HEAD
def test_a_config_and_a_checkpoint_come_back(head) -> None:
    detector = small(head).eval()
    config = detector.config
    assert config_from_data(config_to_data(config)) == config
    again = detector_from_data(detector_to_data(detector)).eval()
    images = torch.rand(1, 3, 64, 64)
    for before, after in zip(detector(images), again(images), strict=True):
        assert torch.equal(before, after)


@EVERY_HEAD
@pytest.mark.parametrize("norm", [BatchNorm(), GroupNorm(), NoNorm()])
def test_every_head_takes_the_detectors_norm(head, norm) -> None:
    detector = small(head, norm=norm)
    outputs = detector(torch.rand(2, 3, 64, 64))
    assert outputs.class_logits.isfinite().all()
    has_batch_norm = any(isinstance(m, nn.BatchNorm2d) for m in detector.head.modules())
    assert has_batch_norm == isinstance(norm, BatchNorm)


@EVERY_HEAD
def test_predict_gives_detections_in_the_pictures_pixels(head) -> None:
    detector = small(head).eval()
    found = detector.predict(torch.zeros(3, 40, 90, dtype=torch.uint8), score=0.0)
    assert len(found) > 0
    assert bool((found.boxes_xyxy >= 0).all())
    assert bool((found.boxes_xyxy <= torch.tensor([90, 40, 90, 40])).all())


@EVERY_HEAD
def test_the_summary_counts_its_places(head) -> None:
    config = replace(BASE, head=head)
    summary = summarize(config, num_classes=3)
    assert summary.num_priors == sum(level.num_priors for level in summary.levels)
    assert {level.source for level in summary.levels} == {0, 1, 2}
    assert all(level.smallest < level.largest for level in summary.levels)


def test_a_head_with_priors_must_read_every_level() -> None:
    for head in (SMALL_HEADS["PeleeHead"], SMALL_HEADS["SSDLiteHead"]):
        with pytest.raises(ValueError, match=r"`head.priors` must read every level, 0 to 2"):
            replace(BASE, head=replace(head, priors=PRIORS[:2]))


def test_raw_outputs_of_one_kind_are_not_read_as_the_other() -> None:
    outputs = small(SMALL_HEADS["GFLHead"])(torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="PointPredictions, which a BoxCoder cannot read"):
        scored_boxes(outputs, BoxCoder())
    with pytest.raises(ValueError, match="`priors_cxcywh` needs a head with priors; GFLHead"):
        _ = small(SMALL_HEADS["GFLHead"]).priors_cxcywh


class TestSSDLite:
    def test_more_levels_cost_entrances_and_norms_but_no_predicting_convolutions(self) -> None:
        two, one = SMALL_HEADS["SSDLiteHead"], SSDLiteHead(channels=16, priors=PRIORS[:1])
        small_one = build(
            replace(BASE, head=one, extras=(), stages=BASE.stages[:1], levels_from=(0,)),
            num_classes=3,
        )
        small_two = small(two)
        predicting = count_parameters(small_two.head.class_convs[0])
        assert predicting == count_parameters(small_one.head.class_convs[0])
        assert len(small_two.head.class_convs) == 2  # level 1 has a second entry
        assert len(small_two.head.class_features.norms) == 3
        assert small_two.head.class_features.convolution.weight.shape == (16, 1, 3, 3)

    def test_entries_of_one_level_do_not_say_the_same(self) -> None:
        outputs = small(SMALL_HEADS["SSDLiteHead"]).eval()(torch.rand(1, 3, 64, 64))
        assert isinstance(outputs, Predictions)
        first, second = outputs.class_logits[0, 384:480], outputs.class_logits[0, 480:576]
        assert not torch.allclose(first, second, atol=1e-3)

    def test_rows_come_in_the_order_of_the_priors(self) -> None:
        """Only the second entry of level 1 speaks, so only its rows are not zero."""
        detector = small(SMALL_HEADS["SSDLiteHead"]).eval()
        for convolution in detector.head.class_convs:
            nn.init.zeros_(convolution.weight)
        nn.init.ones_(detector.head.class_convs[1].bias)
        logits = detector(torch.rand(1, 3, 64, 64)).class_logits[0]
        rows = logits.abs().sum(1).nonzero().flatten()
        cell = detector.places_cxcywh[rows]
        assert len(rows) == 4 * 4 * 6
        assert float(cell[0, 2]) == pytest.approx(0.4 * 64)

    def test_entries_that_share_must_have_as_many_shapes(self) -> None:
        lonely = PriorLevel(source=2, smallest=0.5, largest=0.9, aspect_ratios=(2.0,))
        with pytest.raises(
            ValueError, match=r"same number of shapes; entries of turn 0 .*\[4, 6\]"
        ):
            SSDLiteHead(priors=(*PRIORS[:3], lonely))


class TestGFL:
    def test_every_class_starts_at_the_initial_score(self) -> None:
        head = replace(SMALL_HEADS["GFLHead"], initial_score=0.03)
        outputs = small(head).eval()(torch.randn(2, 3, 64, 64))
        scores = outputs.class_logits.detach().sigmoid()
        assert float(scores.mean()) == pytest.approx(0.03, rel=0.1)

    def test_every_box_starts_around_its_cell(self) -> None:
        detector = small(SMALL_HEADS["GFLHead"]).eval()
        outputs = detector(torch.randn(1, 3, 64, 64))
        boxes, _ = scored_boxes(outputs, detector.box_coder)
        cells = detector.places_cxcywh
        centres = (boxes[0, :, :2] + boxes[0, :, 2:]) / 2
        assert ((centres - cells[:, :2]).abs() < 0.5 * cells[:, 2:]).all()

    def test_cells_divide_an_input_that_no_stride_divides(self) -> None:
        cells = place_cells([(3, 5), (1, 2)], (97, 61))
        assert len(cells) == 17
        low, high = cells[:15, :2] - cells[:15, 2:] / 2, cells[:15, :2] + cells[:15, 2:] / 2
        assert torch.allclose(low.amin(0), torch.zeros(2), atol=1e-4)
        assert torch.allclose(high.amax(0), torch.tensor([61.0, 97.0]), atol=1e-4)
        assert torch.allclose(cells[:15, 2:].prod(1).sum(), torch.tensor(97.0 * 61))
        assert torch.allclose(cells[15], torch.tensor([15.25, 48.5, 30.5, 97.0]))
        assert float(cells[1, 0] - cells[0, 0]) == pytest.approx(61 / 5)

    def test_bad_settings_are_refused(self) -> None:
        with pytest.raises(ValueError, match="`initial_score` must be in"):
            GFLHead(initial_score=0.0)
        with pytest.raises(ValueError, match="`kernel_size` odd"):
            GFLHead(kernel_size=4)
        with pytest.raises(ValueError, match="`num_bins` must be at least 2"):
            DistanceCoder(num_bins=1)

    def test_a_sure_cell_alone_is_detected(self) -> None:
        detector = small(SMALL_HEADS["GFLHead"])
        cells, coder = detector.places_cxcywh, DistanceCoder()
        box = torch.tensor([10.0, 12.0, 30.0, 40.0])
        logits = torch.full((1, len(cells), 3), -30.0)
        logits[0, 18, 1] = 30.0
        sides = coder.side_logits(coder.encode(box, cells))[None]
        (found,) = detector.decode(PointPredictions(logits, sides, cells), DecodeSettings())
        assert found.labels.tolist() == [1]
        assert torch.allclose(found.boxes_xyxy[0], box, atol=1e-3)


class TestDistanceCoder:
    @pytest.mark.parametrize("num_bins", [2, 8, 17])
    def test_what_can_be_stated_comes_back(self, num_bins: int) -> None:
        coder = DistanceCoder(num_bins=num_bins)
        cells = place_cells([(4, 6)], (64, 90))
        distances = coder.lowest + torch.rand(24, 4) * (coder.highest - coder.lowest)
        boxes = coder.decode_distances(distances, cells)
        assert torch.allclose(coder.encode(boxes, cells), distances, atol=1e-5)
        assert torch.allclose(coder.mean(coder.side_logits(distances)), distances, atol=1e-5)
        assert torch.allclose(coder.decode(coder.side_logits(distances), cells), boxes, atol=1e-3)

    def test_the_ends_can_be_stated_too(self) -> None:
        coder = DistanceCoder(num_bins=5)
        ends = torch.tensor([-0.5, 3.5, -7.0, 99.0])
        assert coder.mean(coder.side_logits(ends)).tolist() == pytest.approx([-0.5, 3.5, -0.5, 3.5])


@pytest.mark.parametrize("name", ["PELEE_SMALL_GFL", "PELEE_TINY_GFL"])
def test_the_variants_without_priors_cost_no_more(name: str) -> None:
    variant = summarize(recipes.names()[name], num_classes=3)
    base = summarize(recipes.names()[name.removesuffix("_GFL")], num_classes=3)
    assert variant.parameters < base.parameters
    assert variant.macs < 1.1 * base.macs
    assert variant.num_priors < base.num_priors / 5
