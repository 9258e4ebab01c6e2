from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from small_sets import small_dataset, write_image
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.repair import repair, repair_dataset

CLASSES = ClassList.of("ab")

any_float = st.floats(width=32) | st.sampled_from([-1.0, 0.0, 3.0, 10.0, 64.0])
any_box = st.tuples(any_float, any_float, any_float, any_float)
any_row = st.tuples(any_box, st.integers(-3, 4))


def sample_of(*boxes: tuple[float, ...], labels: list[int] | None = None) -> Sample:
    picture = torch.zeros(3, 48, 64, dtype=torch.uint8)
    return Sample.of(picture, boxes, labels or [0] * len(boxes), image_id="x")


def repaired_boxes(*boxes: tuple[float, ...]) -> list[list[float]]:
    [sample], _ = repair([sample_of(*boxes)], CLASSES)
    return sample.boxes_xyxy.tolist()


@given(st.lists(st.lists(any_row, max_size=6), max_size=4))
def test_whatever_the_numbers_training_gets_sound_boxes(
    rows: list[list[tuple[tuple[float, ...], int]]],
) -> None:
    samples = [
        sample_of(*(box for box, _ in image), labels=[label for _, label in image])
        for image in rows
    ]
    repaired, summary = repair(samples, CLASSES)
    assert len(repaired) == len(samples)
    for sample in repaired:
        assert_sound(sample.boxes_xyxy, sample.labels)
        assert len(sample.labels) == len(sample.difficult) == len(sample.crowd)
    left = sum(len(sample.labels) for sample in repaired)
    assert left + sum(summary.boxes_left_out.values()) == summary.num_boxes
    again, second = repair(repaired, CLASSES)
    assert not second.images_left_out
    for once, twice in zip(repaired, again, strict=True):
        assert_sound(twice.boxes_xyxy, twice.labels)
        assert len(twice.labels) <= len(once.labels)


def assert_sound(boxes_xyxy: Tensor, labels: Tensor) -> None:
    x1, y1, x2, y2 = boxes_xyxy.unbind(dim=1)
    assert boxes_xyxy.isfinite().all()
    assert ((x1 >= 0) & (y1 >= 0) & (x2 <= 64) & (y2 <= 48)).all()
    assert ((x2 > x1) & (y2 > y1)).all()
    assert ((x2 - x1).log().isfinite() & (y2 - y1).log().isfinite()).all()
    assert ((labels >= 0) & (labels < 2)).all()


def test_a_sound_box_is_not_changed() -> None:
    assert repaired_boxes((1.25, 2.5, 30.125, 40)) == [[1.25, 2.5, 30.125, 40]]


def test_corners_are_put_in_order() -> None:
    assert repaired_boxes((30, 2, 1, 40), (31, 40, 1, 2)) == [[1, 2, 30, 40], [1, 2, 31, 40]]


def test_a_box_over_the_border_is_clipped() -> None:
    assert repaired_boxes((-5, -5, 70, 50)) == [[0, 0, 64, 48]]


def test_what_cannot_be_repaired_is_left_out() -> None:
    nan, inf = float("nan"), float("inf")
    assert repaired_boxes((5, 5, 5, 9), (70, 5, 90, 9), (nan, 1, 2, 3), (0, 0, inf, 5)) == []


def test_only_the_first_of_equal_boxes_stays() -> None:
    sample = sample_of((1, 1, 9, 9), (1, 1, 9, 9), (1, 1, 9, 9), labels=[0, 1, 0])
    [repaired], summary = repair([sample], CLASSES)
    assert repaired.labels.tolist() == [0, 1]
    assert summary.boxes_left_out == {"duplicate box": 1}


def test_flags_stay_with_their_boxes() -> None:
    sample = Sample.of(
        torch.zeros(3, 48, 64, dtype=torch.uint8),
        [(5, 5, 5, 5), (1, 1, 9, 9), (2, 2, 9, 9)],
        [0, 0, 1],
        difficult=[False, True, False],
        crowd=[False, False, True],
    )
    [repaired], _ = repair([sample], CLASSES)
    assert repaired.difficult.tolist() == [True, False]
    assert repaired.crowd.tolist() == [False, True]


def test_missing_and_damaged_images_are_left_out(tmp_path: Path) -> None:
    whole = write_image(tmp_path / "whole.jpg", seed=1)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-100])
    trailing = tmp_path / "trailing.jpg"
    trailing.write_bytes(whole.read_bytes() + b"camera's notes")
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    paths = [whole, cut, tmp_path / "missing.jpg", text, trailing]
    samples = [Sample.of(ImageFile(path, 48, 64), [], [], image_id=path.stem) for path in paths]
    repaired, summary = repair(samples, CLASSES)
    assert [sample.image_id for sample in repaired] == ["whole", "trailing"]
    assert summary.images_left_out == {"missing image": 1, "damaged image": 2}


def test_the_image_s_own_size_wins(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", seed=1, height=20, width=30)
    sample = Sample.of(ImageFile(path, 200, 300), [(5, 5, 100, 100)], [0])
    [repaired], summary = repair([sample], CLASSES)
    assert repaired.size == (20, 30)
    assert repaired.boxes_xyxy.tolist() == [[5, 5, 30, 20]]
    assert summary.sizes_corrected == 1


def test_the_summary_is_one_sentence() -> None:
    sample = sample_of((1, 1, 9, 9), (5, 5, 5, 9), (20, 2, 10, 50))
    _, summary = repair([sample], CLASSES)
    assert str(summary) == (
        "Of 1 images with 3 boxes: boxes left out: 1 zero area; "
        "boxes corrected: 1 negative area, 1 partly outside."
    )
    assert str(repair([], CLASSES)[1]) == "Nothing to repair in 0 images with 0 boxes."


def test_a_sample_in_two_splits_is_counted_once(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    sample = Sample.of(dataset.splits["train"][0].picture, [(1, 1, 1, 1)], [0])
    twice = replace(dataset, splits={"train": [sample], "trainval": [sample]})
    repaired, summary = repair_dataset(twice)
    assert summary.boxes_left_out == {"zero area": 1}
    assert repaired.splits["train"][0] is repaired.splits["trainval"][0]
