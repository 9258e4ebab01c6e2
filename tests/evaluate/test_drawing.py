"""Boxes, tags and sheets are drawn where they belong."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.conventions.image_decoding import read_rgb
from pocketdet.evaluate.contact_sheet import contact_sheet, example_sheet
from pocketdet.evaluate.curves import draw_pr_curves
from pocketdet.evaluate.draw import draw_detections, draw_truth, side_by_side
from pocketdet.evaluate.output_file import write_figure, write_picture
from pocketdet.evaluate.score import evaluate_detections
from pocketdet.predict.colours import class_colour, text_colour
from pocketdet.predict.tags import place_tags

CLASSES = ClassList.of(["cat", "dog"])


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((3, height, width), 120, dtype=torch.uint8)


def one_box(box: list[float], label: int = 0) -> Detections:
    return Detections(
        boxes_xyxy=torch.tensor([box]), scores=torch.tensor([0.9]), labels=torch.tensor([label])
    )


def test_the_box_is_drawn_in_the_colour_of_its_class_and_the_original_is_untouched() -> None:
    image = grey(500, 600)
    drawn = draw_detections(image, one_box([100, 200, 300, 400], label=1), CLASSES)
    assert drawn.shape == image.shape
    assert tuple(drawn[:, 300, 100].tolist()) == class_colour(1)
    assert drawn[:, 300, 200].tolist() == [120, 120, 120]
    assert (image == 120).all()


@pytest.mark.parametrize(("size", "factor"), [((100, 90), 3), ((300, 200), 2), ((500, 400), 1)])
def test_small_pictures_are_enlarged_and_boxes_with_them(
    size: tuple[int, int], factor: int
) -> None:
    drawn = draw_detections(grey(*size), one_box([20, 40, 60, 80]), CLASSES)
    assert drawn.shape[1:] == (size[0] * factor, size[1] * factor)
    assert tuple(drawn[:, 60 * factor, 20 * factor].tolist()) == class_colour(0)


def test_the_truth_is_drawn_in_white_dashes() -> None:
    sample = Sample.of(grey(500, 500), [[100, 100, 300, 300]], [0])
    drawn = draw_detections(sample.image, Detections.empty(), CLASSES, truth=sample)
    edge = drawn[:, 100:300, 100].float().mean(0)
    assert (edge > 240).any()
    assert ((edge - 120).abs() < 5).any()


def test_side_by_side_is_twice_as_wide() -> None:
    sample = Sample.of(grey(480, 500), [[10, 10, 50, 50]], [1], difficult=[True])
    assert side_by_side(sample, one_box([5, 5, 40, 40]), CLASSES).shape == (3, 480, 1006)
    assert draw_truth(sample, CLASSES, longer_side=250).shape == (3, 240, 250)


def test_tags_stay_in_the_picture_and_apart_where_there_is_room() -> None:
    boxes = [(0.0, 0.0, 30.0, 30.0), (2.0, 2.0, 40.0, 32.0), (180.0, 90.0, 200.0, 100.0)]
    sizes = [(40.0, 10.0)] * 3
    places = place_tags(boxes, sizes, height=100, width=200)
    for x, y in places:
        assert 0 <= x <= 160
        assert 0 <= y <= 90
    (x1, y1), (x2, y2) = places[0], places[1]
    assert abs(x1 - x2) >= 40 or abs(y1 - y2) >= 10


def test_neighbouring_classes_have_colours_far_apart_and_legible_text() -> None:
    colours = [class_colour(label) for label in range(80)]
    assert len(set(colours)) == 80
    for first, second in pairwise(colours):
        assert sum(abs(a - b) for a, b in zip(first, second, strict=True)) > 120
    assert text_colour((255, 255, 0)) == (0, 0, 0)
    assert text_colour((60, 0, 120)) == (255, 255, 255)


def test_a_sheet_holds_every_picture() -> None:
    pictures = [grey(60, 80), grey(40, 30), grey(50, 50)]
    sheet = contact_sheet(pictures, ["one", "two", "three"], columns=2)
    assert sheet.shape[2] > 2 * 80
    assert sheet.shape[1] > 2 * 60
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([], [])


def test_examples_are_spread_over_the_samples_and_written_as_png(tmp_path: Path) -> None:
    samples = [Sample.of(grey(90, 90), [[10, 10, 60, 60]], [0], image_id=str(n)) for n in range(30)]
    found = [one_box([12, 12, 60, 60])] * 30
    sheet = example_sheet(found, samples, CLASSES, count=4)
    write_picture(tmp_path / "new" / "sheet.png", sheet)
    assert torch.equal(
        torch.from_numpy(read_rgb(tmp_path / "new" / "sheet.png")).permute(2, 0, 1), sheet
    )
    write_figure(
        tmp_path / "curves.png", draw_pr_curves(evaluate_detections(found, samples, CLASSES))
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves.png", "new"]
