import numpy as np
import pytest
import torch

from pocketdet.conventions import pairwise_iou
from pocketdet.data.digits.backgrounds import FIELDS, draw_background
from pocketdet.data.digits.clutter import SHAPES
from pocketdet.data.digits.handwriting import ink_box, load_handwriting, render_ink
from pocketdet.data.digits.scenes import BRIGHTNESS, Scene, SceneSettings, draw_scene

SETTINGS = SceneSettings()


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(number, half="train", seed=0) for number in range(120)]


def longer_sides(scenes: list[Scene]) -> np.ndarray:
    boxes = np.concatenate([scene.boxes_xyxy for scene in scenes])
    return (boxes[:, 2:] - boxes[:, :2]).max(1)


def test_the_same_numbers_give_the_same_scene() -> None:
    first, second = (draw_scene(3, half="val", seed=7) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.boxes_xyxy, second.boxes_xyxy)


def test_another_seed_half_or_number_gives_another_scene() -> None:
    base = draw_scene(3, half="val", seed=7).image
    for other in (
        draw_scene(4, half="val", seed=7),
        draw_scene(3, half="train", seed=7),
        draw_scene(3, half="val", seed=8),
    ):
        assert not np.array_equal(base, other.image)


def test_no_handwriting_is_in_both_halves() -> None:
    train, val = load_handwriting("train"), load_handwriting("val")
    assert not set(train.indices) & set(val.indices)
    assert len(train.indices) + len(val.indices) == 1797
    own = {picture.tobytes() for picture in train.pictures}
    assert not own & {picture.tobytes() for picture in val.pictures}
    for half in (train, val):
        assert np.bincount(half.labels, minlength=10).min() > 30


def test_no_part_of_a_photograph_is_in_both_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.broadcast_to(np.arange(640) // 4, (427, 640))
    marked = np.repeat(columns[..., None], 3, axis=2).astype(np.uint8)
    monkeypatch.setattr("pocketdet.data.digits.backgrounds._photographs", lambda: (marked,))
    monkeypatch.setattr("pocketdet.data.digits.backgrounds.PHOTOGRAPH_SHARE", 1.0)
    # Neither contrast nor brightness: each pixel says which column it came from.
    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        "pocketdet.data.digits.backgrounds._change_light", lambda canvas, rng: canvas
    )
    train = [draw_background(180, 220, half="train", rng=rng) for _ in range(50)]
    val = [draw_background(180, 220, half="val", rng=rng) for _ in range(50)]
    assert max(canvas.max() for canvas in train) < 80
    assert min(canvas.min() for canvas in val) >= 80


def test_every_box_is_tight_and_inside_the_picture(scenes: list[Scene]) -> None:
    for scene in scenes:
        height, width = scene.image.shape[:2]
        assert scene.image.dtype == np.uint8
        assert len(scene.masks) == len(scene.labels) == len(scene.boxes_xyxy) > 0
        for mask, (x1, y1, x2, y2) in zip(scene.masks, scene.boxes_xyxy, strict=True):
            rows, columns = np.nonzero(mask)
            assert (x1, y1) == (columns.min(), rows.min())
            assert (x2, y2) == (columns.max() + 1, rows.max() + 1)
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height


def test_the_boxes_are_where_the_picture_differs_from_itself_without_ink(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The boxes are held against pixels, not against the masks that they are made of."""
    monkeypatch.setattr("pocketdet.data.digits.scenes._take_photograph", lambda canvas, rng: canvas)
    settings = SceneSettings(max_digits=1, paper_share=0)
    for number in range(20):
        scene = draw_scene(number, half="train", seed=1, settings=settings)
        monkeypatch.setattr("pocketdet.data.digits.scenes._choose_ink", _same_as_background)
        with monkeypatch.context() as patch:
            patch.setattr("pocketdet.data.digits.scenes.paint", lambda canvas, alpha, colour: None)
            bare = draw_scene(number, half="train", seed=1, settings=settings)
        monkeypatch.undo()
        monkeypatch.setattr(
            "pocketdet.data.digits.scenes._take_photograph", lambda canvas, rng: canvas
        )
        change = np.abs(scene.image.astype(float) - bare.image).max(2)
        found = ink_box(change > 0.5 * np.percentile(change[change > 0], 90))
        assert np.abs(np.array(found) - scene.boxes_xyxy[0]).max() <= 2


def _same_as_background(canvas: np.ndarray, alpha: np.ndarray, *_: object) -> np.ndarray:
    return np.zeros(3)


def test_sizes_are_in_range_and_of_every_kind(scenes: list[Scene]) -> None:
    sides = longer_sides(scenes)
    assert sides.min() >= 11
    assert sides.max() <= 122
    assert (sides < 24).mean() > 0.08
    assert ((sides >= 24) & (sides <= 90)).mean() > 0.65
    assert (sides > 90).mean() > 0.03


def test_pictures_vary_in_size_within_the_settings(scenes: list[Scene]) -> None:
    sizes = {scene.image.shape[:2] for scene in scenes}
    assert len(sizes) > 50
    assert all(176 <= height <= 224 and 208 <= width <= 256 for height, width in sizes)


def test_classes_are_balanced(scenes: list[Scene]) -> None:
    counts = np.bincount(np.concatenate([scene.labels for scene in scenes]), minlength=10)
    assert counts.min() > 0.5 * counts.mean()
    assert counts.max() < 1.6 * counts.mean()


def test_digits_overlap_a_little_and_stay_visible(scenes: list[Scene]) -> None:
    largest: list[float] = []
    for scene in scenes:
        boxes = torch.from_numpy(scene.boxes_xyxy)
        largest.append(float(pairwise_iou(boxes, boxes).fill_diagonal_(0).max()))
    assert max(largest) <= 0.33  # .3 between whole boxes; of the visible parts a little more
    assert np.mean(np.array(largest) > 0) > 0.2


def test_ink_stands_out_from_its_surroundings(scenes: list[Scene]) -> None:
    differences: list[float] = []
    for scene in scenes:
        brightness = scene.image @ BRIGHTNESS
        all_ink = scene.masks.any(0)
        for mask, box in zip(scene.masks, scene.boxes_xyxy.astype(int), strict=True):
            x1, y1, x2, y2 = box
            inside = np.zeros_like(mask)
            inside[max(0, y1 - 2) : y2 + 2, max(0, x1 - 2) : x2 + 2] = True
            around = inside & ~all_ink
            differences.append(
                abs(float(np.median(brightness[mask]) - np.median(brightness[around])))
            )
    assert np.quantile(differences, 0.01) > 30
    assert np.mean([ink > 45 for ink in differences]) > 0.95


@pytest.mark.parametrize("longer_side", [12.5, 24, 60, 119])
def test_ink_has_the_size_that_was_asked_for(longer_side: float) -> None:
    handwriting = load_handwriting("train")
    rng = np.random.default_rng(0)
    for label in range(10):
        alpha = render_ink(handwriting.draw(label, rng), longer_side=longer_side, rng=rng)
        left, top, right, bottom = ink_box(alpha > 0.5)
        assert abs(max(right - left, bottom - top) - longer_side) <= 2
        assert alpha.min() == 0
        assert alpha.max() > 0.9


@pytest.mark.parametrize("draw", FIELDS)
def test_textures_are_fields_between_0_and_1(draw: object) -> None:
    assert callable(draw)
    for seed in range(5):
        field = draw(30, 40, np.random.default_rng(seed))
        assert field.shape == (30, 40)
        assert field.dtype == np.float32
        assert field.min() >= 0
        assert field.max() <= 1


@pytest.mark.parametrize("draw", SHAPES)
def test_clutter_draws_something_now_and_then(draw: object) -> None:
    assert callable(draw)
    masks = [np.zeros((100, 120), np.uint8) for _ in range(5)]
    for seed, mask in enumerate(masks):
        draw(mask, np.random.default_rng(seed))
    assert np.array(masks).any()
