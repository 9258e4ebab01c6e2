from dataclasses import replace

from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from pocketdet.conventions import InputContract, Sample, pairwise_iou
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.augment.crop import contains_centre, cropped
from pocketdet.data.augment.expand import expanded
from pocketdet.data.augment.photometric import with_colour, with_levels
from pocketdet.data.augment.settings import (
    LIGHT_AUGMENT,
    NO_AUGMENT,
    PELEE_AUGMENT,
    AugmentSettings,
)
from pocketdet.data.augment.window import Window
from pocketdet.data.dataset import Traits

# Black padding, so that no colour but a marker's stands out.
WARP = InputContract(height=120, width=152, mean=(0.0, 0.0, 0.0))
LETTERBOX = replace(WARP, resize="letterbox")
NO_FLIP = Traits(horizontal_flip=False)

ONLY = {
    "nothing": NO_AUGMENT,
    "expand": replace(NO_AUGMENT, expand_probability=1.0, expand_max=3.0),
    "crop": replace(NO_AUGMENT, crop_min_ious=PELEE_AUGMENT.crop_min_ious),
    "photometric": replace(NO_AUGMENT, photometric_probability=1.0),
    "flip": replace(NO_AUGMENT, flip_probability=1.0),
    "interpolation": replace(NO_AUGMENT, interpolations=PELEE_AUGMENT.interpolations),
    "light": LIGHT_AUGMENT,
    "all": PELEE_AUGMENT,
}


def marked_sample(rng: np.random.Generator) -> Sample:
    """Up to three boxes that do not touch, filled with red, green and blue: their labels."""
    height, width = (int(side) for side in rng.integers(60, 400, size=2))
    image = np.zeros((height, width, 3), np.uint8)
    boxes, labels = [], []
    for label in rng.permutation(3)[: rng.integers(1, 4)]:
        # Each label has a third of the width for itself.
        third = width // 3
        w, h = int(rng.integers(8, third - 4)), int(rng.integers(8, height))
        x = int(label) * third + int(rng.integers(2, third - w - 1))
        y = int(rng.integers(height - h + 1))
        image[y : y + h, x : x + w, label] = 255
        boxes.append([x, y, x + w, y + h])
        labels.append(int(label))
    return Sample.of(torch.from_numpy(image).permute(2, 0, 1), boxes, labels)


def marker_centre(image: torch.Tensor, label: int) -> np.ndarray:
    """The centroid of what is more of the marker's colour than of any other."""
    colours = image.numpy().astype(np.float32)
    others = np.delete(colours, label, axis=0).max(axis=0)
    weight = colours[label] - others
    weight = np.where(weight > max(weight.max(), 0) * 0.4, weight, 0)
    assert weight.sum() > 0
    x = np.average(np.arange(weight.shape[1]) + 0.5, weights=weight.sum(axis=0))
    y = np.average(np.arange(weight.shape[0]) + 0.5, weights=weight.sum(axis=1))
    return np.array([x, y])


@pytest.mark.parametrize("contract", [WARP, LETTERBOX], ids=["warp", "letterbox"])
@pytest.mark.parametrize("name", ONLY)
def test_a_marker_drawn_in_a_box_goes_where_the_box_goes(
    name: str, contract: InputContract
) -> None:
    augment = Augmentation(contract, Traits(), ONLY[name])
    followed = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        result = augment(marked_sample(rng), rng)
        assert result.image.shape == (3, contract.height, contract.width)
        assert result.image.dtype == torch.uint8
        for box, label in zip(result.boxes_xyxy, result.labels.tolist(), strict=True):
            x1, y1, x2, y2 = box.tolist()
            assert 0 <= x1 < x2 <= contract.width
            assert 0 <= y1 < y2 <= contract.height
            centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
            assert np.abs(marker_centre(result.image, label) - centre).max() < 1.0, seed
            followed += 1
    assert followed > 120


def test_a_marker_outside_every_kept_box_was_out_of_view_or_too_small() -> None:
    """No box is lost whose centre is still seen: its marker would fill the middle of it."""
    augment = Augmentation(
        WARP, NO_FLIP, replace(NO_AUGMENT, expand_probability=1.0, expand_max=2.0)
    )
    for seed in range(100):
        rng = np.random.default_rng(seed)
        sample = marked_sample(rng)
        assert augment(sample, rng).labels.tolist() == sample.labels.tolist()


@pytest.mark.parametrize("settings", [PELEE_AUGMENT, replace(NO_AUGMENT, flip_probability=1.0)])
def test_nothing_is_mirrored_where_the_data_set_forbids_it(settings: AugmentSettings) -> None:
    image = torch.zeros(3, 90, 90, dtype=torch.uint8)
    image[0, :, :45], image[2, :, 45:] = 255, 255
    sample = Sample.of(image, [[0, 0, 45, 90], [45, 0, 90, 90]], [0, 2])
    augment = Augmentation(WARP, NO_FLIP, settings)
    for seed in range(150):
        result = augment(sample, np.random.default_rng(seed))
        left = dict(zip(result.labels.tolist(), result.boxes_xyxy[:, 0], strict=True))
        if len(left) == 2:
            assert left[0] < left[2]


def test_mirroring_happens_in_about_the_asked_share_of_draws() -> None:
    sample = Sample.of(torch.zeros(3, 100, 100, dtype=torch.uint8), [[0, 0, 50, 50]], [0])
    augment = Augmentation(WARP, Traits(), replace(NO_AUGMENT, flip_probability=0.3))
    lefts = [
        float(augment(sample, np.random.default_rng(seed)).boxes_xyxy[0, 0]) for seed in range(200)
    ]
    assert 0.2 < np.mean(np.array(lefts) > 0) < 0.4


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    count=st.integers(0, 12),
    resize=st.sampled_from(["warp", "letterbox"]),
)
def test_boxes_stay_finite_inside_and_aligned_with_what_belongs_to_them(
    seed: int, height: int, width: int, count: int, resize: str
) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, 320, size=(count, 2, 2))  # Swapped and outside ones too.
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    labels = np.arange(count)
    sample = Sample.of(
        torch.zeros(3, height, width, dtype=torch.uint8),
        boxes.astype(np.float32),
        labels,
        difficult=torch.from_numpy(labels % 2 == 0),
        crowd=torch.from_numpy(labels % 3 == 0),
    )
    contract = replace(WARP, resize=resize)
    result = Augmentation(contract, Traits(), PELEE_AUGMENT)(sample, rng)
    assert torch.isfinite(result.boxes_xyxy).all()
    assert (result.boxes_xyxy >= 0).all()
    assert (result.boxes_xyxy[:, 2] <= contract.width).all()
    assert (result.boxes_xyxy[:, 3] <= contract.height).all()
    sides = result.boxes_xyxy[:, 2:] - result.boxes_xyxy[:, :2]
    assert (sides >= PELEE_AUGMENT.min_box).all()
    assert torch.equal(result.difficult, result.labels % 2 == 0)
    assert torch.equal(result.crowd, result.labels % 3 == 0)


def test_a_box_that_is_no_number_is_left_out() -> None:
    boxes = [[0, 0, 40, 40], [float("nan"), 0, 10, 10], [5, 5, float("inf"), 50]]
    sample = Sample.of(torch.zeros(3, 50, 50, dtype=torch.uint8), boxes, [0, 1, 2])
    result = Augmentation(WARP, Traits(), PELEE_AUGMENT)(sample, np.random.default_rng(0))
    assert set(result.labels.tolist()) <= {0}


def test_without_augmentation_it_is_exactly_the_contracts_own_resizing() -> None:
    for contract in (WARP, LETTERBOX):
        sample = marked_sample(np.random.default_rng(3))
        result = Augmentation(contract, Traits(), NO_AUGMENT)(sample, np.random.default_rng(0))
        image, placement = contract.fit(sample.image)
        assert torch.equal(result.image, image)
        torch.testing.assert_close(
            result.boxes_xyxy, placement.to_input(sample.boxes_xyxy), atol=1e-3, rtol=0
        )


def test_the_given_picture_is_never_written_to() -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (120, 152, 3), np.uint8)).permute(2, 0, 1)
    before = image.clone()
    sample = Sample.of(image, [[10, 10, 60, 60]], [0])
    settings = replace(PELEE_AUGMENT, photometric_probability=1.0, crop_min_ious=())
    for seed in range(20):  # The contract's own size: nothing is resized, so nothing copied.
        Augmentation(WARP, Traits(), settings)(sample, np.random.default_rng(seed))
    assert torch.equal(image, before)


def test_the_same_random_numbers_give_the_same_sample() -> None:
    sample = marked_sample(np.random.default_rng(1))
    augment = Augmentation(LETTERBOX, Traits(), PELEE_AUGMENT)
    first, second, other = (augment(sample, np.random.default_rng(s)) for s in (5, 5, 6))
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.boxes_xyxy, second.boxes_xyxy)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("min_iou", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_crop_overlaps_a_box_as_much_as_asked(min_iou: float) -> None:
    settings = replace(PELEE_AUGMENT, crop_min_ious=(min_iou,))
    whole = Window(-30, -10, 370, 310)
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        corner, size = rng.uniform(0, 50, 2), rng.uniform(100, 250, 2)
        boxes = np.array([[*corner, *(corner + size)], [0.0, 0.0, 90.0, 80.0]])
        crop = cropped(whole, boxes, settings, rng)
        if crop == whole:
            continue
        found += 1
        corners = np.array([[crop.left, crop.top, crop.right, crop.bottom]], float)
        assert contains_centre(corners, boxes).any()
        overlap = pairwise_iou(torch.from_numpy(corners), torch.from_numpy(boxes))
        assert overlap.max() >= min_iou
        assert whole.left <= crop.left < crop.right <= whole.right
        assert whole.top <= crop.top < crop.bottom <= whole.bottom
        scale = np.array([crop.width / whole.width, crop.height / whole.height])
        assert scale.max() <= 1
        assert 0.28 < np.sqrt(scale.prod()) <= 1.01
        assert 0.48 < scale[0] / scale[1] < 2.05
    assert found > 0


def test_every_sampler_that_finds_a_crop_is_chosen_as_often() -> None:
    settings = replace(PELEE_AUGMENT, crop_min_ious=(None, 0.0, 0.9))
    whole = Window(0, 0, 100, 100)
    tiny = np.array([[40.0, 40.0, 44.0, 44.0]])  # No crop overlaps it by .9.
    kept_whole = [
        cropped(whole, tiny, settings, np.random.default_rng(seed)) == whole for seed in range(200)
    ]
    assert 0.42 < np.mean(kept_whole) < 0.58


def test_expanding_keeps_the_picture_inside_a_canvas_of_the_asked_size() -> None:
    settings = replace(PELEE_AUGMENT, expand_probability=1.0, expand_max=4.0)
    ratios = []
    for seed in range(200):
        canvas = expanded(Window(0, 0, 200, 100), settings, np.random.default_rng(seed))
        assert canvas.left <= 0 <= 200 <= canvas.right
        assert canvas.top <= 0 <= 100 <= canvas.bottom
        assert abs(canvas.width / canvas.height - 2) < 0.02
        ratios.append(canvas.width / 200)
    assert min(ratios) < 1.2
    assert 3.8 < max(ratios) <= 4.0


def test_the_canvas_around_the_picture_has_the_contracts_padding_colour() -> None:
    contract = InputContract(height=64, width=64)
    sample = Sample.of(torch.zeros(3, 50, 50, dtype=torch.uint8), [], [])
    settings = replace(PELEE_AUGMENT, expand_probability=1.0, crop_min_ious=())
    result = Augmentation(contract, Traits(), settings)(sample, np.random.default_rng(3))
    colours = {tuple(c) for c in result.image.permute(1, 2, 0).reshape(-1, 3).tolist()}
    assert contract.padding_rgb in colours


@given(
    brightness=st.floats(-32, 32),
    contrast=st.floats(0.5, 1.5),
    level=st.integers(0, 255),
)
def test_brightness_and_contrast_are_as_defined(
    brightness: float, contrast: float, level: int
) -> None:
    pixels = np.full((2, 3, 3), level, np.uint8)
    expected = np.clip(np.clip(level + brightness, 0, 255) * contrast, 0, 255)
    assert np.abs(with_levels(pixels, brightness, contrast) - expected).max() <= 0.51


@given(
    saturation=st.floats(0.5, 1.5),
    degrees=st.floats(-18, 18),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
)
@example(saturation=1.0, degrees=10.75, colour=(4, 0, 231))  # off by 8.6
def test_saturation_and_hue_are_those_of_hsv(
    saturation: float, degrees: float, colour: tuple[int, int, int]
) -> None:
    import colorsys

    hue, chroma, value = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    turned = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, min(1, chroma * saturation), value)
    result = with_colour(np.array([[colour]], np.uint8), saturation, degrees)[0, 0]
    # A step of hue is 1.4 degrees, up to 6 levels of a saturated colour. Half a step is lost where the
    # hue becomes a byte, where the turn does, and on the way back: 9 levels. Saturation loses half a
    # level, times 1.5, and another half; value and result a half each. Of 150,000 draws the worst
    # is off by 11.2.
    assert np.abs(result - np.array(turned) * 255).max() <= 9 + 1.25 + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expand_max", 0.5),
        ("expand_probability", 1.5),
        ("flip_probability", -0.1),
        ("crop_min_ious", (0.5, 2.0)),
        ("crop_scale", (0.5, 1.5)),
        ("crop_aspect", (2.0, 0.5)),
        ("crop_trials", 0),
        ("contrast", (0.0, 1.0)),
        ("hue", 200),
        ("brightness", -1),
        ("min_box", -1),
        ("interpolations", ("lineer",)),
    ],
)
def test_a_setting_outside_its_range_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{field}` must"):
        replace(PELEE_AUGMENT, **{field: value})


def test_a_misspelt_interpolation_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="Did you mean `linear`"):
        AugmentSettings(interpolations=("lineer",))
