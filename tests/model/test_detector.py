from dataclasses import replace

import numpy as np
import pytest
import torch

from pocketdet import recipes
from pocketdet.conventions import ClassList, InputContract
from pocketdet.model import CBAM, Bilinear, Detector, Nearest, TopDown, build
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.saved_detector import detector_from_data, detector_to_data, load_detector

TINY = recipes.PELEE_TINY


def sized(height: int, width: int, base=TINY):
    return replace(base, input=InputContract(height=height, width=width))


@pytest.mark.parametrize("base", [TINY, recipes.PELEE], ids=["tiny", "pelee"])
@pytest.mark.parametrize(
    ("height", "width"), [(304, 304), (224, 224), (97, 161), (160, 96), (65, 64)]
)
def test_any_input_size_gives_one_prediction_a_prior(base, height: int, width: int) -> None:
    detector = build(sized(height, width, base), num_classes=3).eval()
    with torch.no_grad():
        predictions = detector(torch.zeros(1, 3, height, width))
    assert predictions.class_logits.shape == (1, len(predictions.priors_cxcywh), 4)
    assert predictions.box_deltas.shape == (1, len(predictions.priors_cxcywh), 4)
    assert predictions.priors_cxcywh is detector.priors_cxcywh


@torch.no_grad()
def test_priors_follow_the_maps_of_another_size_than_the_contracts() -> None:
    trained_for_160 = build(sized(160, 160), num_classes=3).eval()
    made_for_193 = build(sized(193, 225), num_classes=3).eval()
    predictions = trained_for_160(torch.zeros(1, 3, 193, 225))
    assert torch.equal(predictions.priors_cxcywh, made_for_193.priors_cxcywh)


def test_priors_cover_the_input_evenly() -> None:
    detector = build(sized(193, 225), num_classes=1)
    centres = detector.priors_cxcywh[:, :2]
    assert torch.allclose(centres.mean(0), torch.tensor([225 / 2, 193 / 2]), atol=0.01)
    assert (centres > 0).all()
    assert (centres < torch.tensor([225.0, 193.0])).all()


@torch.no_grad()
def test_a_sample_is_judged_alone() -> None:
    detector = build(TINY, num_classes=3).eval()
    images = torch.randn(3, 3, 160, 192)
    together = detector(images)
    alone = detector(images[1:2])
    largest = together.class_logits.abs().max()
    assert (together.class_logits[1:2] - alone.class_logits).abs().max() < 1e-5 * largest


@pytest.mark.parametrize(
    "altered",
    [
        replace(TINY, attention=CBAM()),
        replace(TINY, neck=TopDown(channels=32)),
        replace(TINY, attention=CBAM(), neck=TopDown(channels=32, upsample=Bilinear())),
        replace(TINY, attention=CBAM(), neck=TopDown(channels=32, upsample=Nearest())),
    ],
)
def test_a_gradient_reaches_every_parameter(altered) -> None:
    detector = build(altered, num_classes=3)
    predictions = detector(torch.randn(2, 3, 160, 192))
    weights = torch.randn_like(predictions.class_logits)
    ((predictions.class_logits * weights).sum() + predictions.box_deltas.square().sum()).backward()
    unreached = [name for name, p in detector.named_parameters() if p.grad is None]
    assert unreached == []


@torch.no_grad()
def test_folding_batch_norm_keeps_the_outputs() -> None:
    detector = build(TINY, num_classes=3)
    for _ in range(3):
        detector(torch.randn(4, 3, 160, 192))
    detector.eval()
    folded = fold_batch_norm(detector)
    images = torch.randn(2, 3, 160, 192)
    before, after = detector(images), folded(images)
    for unfolded, merged in (
        (before.class_logits, after.class_logits),
        (before.box_deltas, after.box_deltas),
    ):
        assert (unfolded - merged).abs().max() < 1e-5 * unfolded.abs().max()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())


@torch.no_grad()
def test_a_saved_detector_is_the_same_detector(tmp_path) -> None:
    detector = build(replace(TINY, attention=CBAM()), classes=ClassList.of(["cat", "dog"])).eval()
    torch.save(detector_to_data(detector), tmp_path / "best.pt")
    loaded = Detector.load(tmp_path)
    images = torch.randn(1, 3, 160, 192)
    assert loaded.config == detector.config
    assert loaded.classes == detector.classes
    assert torch.equal(loaded(images).class_logits, detector(images).class_logits)


def test_weights_of_another_structure_are_refused() -> None:
    data = detector_to_data(build(TINY, num_classes=2))
    data["weights"].pop("stem.stem1.0.weight")
    with pytest.raises(RuntimeError, match=r"stem\.stem1\.0\.weight"):
        detector_from_data(data)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path, content: bytes) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no checkpoint of pocketdet"):
        load_detector(path)


def test_a_missing_checkpoint_is_one_sentence(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"must be a checkpoint or a run's folder"):
        load_detector(tmp_path / "absent.pt")


def test_a_prediction_is_in_the_pictures_own_pixels() -> None:
    detector = build(TINY, num_classes=2)
    with torch.no_grad():
        for convolution in detector.head.class_convs:
            convolution.weight.zero_()
            convolution.bias[1::3] += 8.0  # every prior is sure of class 0
    picture = np.zeros((480, 640, 3), np.uint8)
    found = detector.predict(picture, score=0.3)
    assert found.boxes_xyxy[:, 2].max() > 400
    assert (found.boxes_xyxy[:, 2] <= 640).all()
    assert (found.boxes_xyxy[:, 3] <= 480).all()
    assert found.labels.unique().tolist() == [0]
    both = detector.predict([picture, picture[:100, :50]], score=0.3)
    assert torch.allclose(both[0].boxes_xyxy, found.boxes_xyxy, atol=0.01)
    assert both[1].boxes_xyxy[:, 2].max() <= 50


def test_predicting_leaves_the_mode_as_it_was() -> None:
    detector = build(TINY, num_classes=2).train()
    detector.stem.eval()  # frozen on purpose
    detector.predict(np.zeros((32, 32, 3), np.uint8))
    assert detector.training
    assert not any(module.training for module in detector.stem.modules())


def test_a_float_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="`image` must be"):
        build(TINY, num_classes=2).predict(torch.zeros(3, 32, 32))


def test_building_moves_no_running_statistic() -> None:
    detector = build(TINY, num_classes=2)
    means = [m.running_mean for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all((mean == 0).all() for mean in means)
    assert all(module.training for module in detector.modules())


def test_building_needs_to_know_the_classes() -> None:
    with pytest.raises(ValueError, match="`build` needs"):
        build(TINY)
    with pytest.raises(ValueError, match="give one of the two"):
        build(TINY, num_classes=3, classes=ClassList.numbered(2))
