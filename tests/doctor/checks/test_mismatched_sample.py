from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SIZE, SOUND, Example, altered
import torch
from torch import Tensor

CHECK = "mismatched-sample"


def scenes(count: int = 10) -> list[Example]:
    """Bright and dark squares on soft noise."""
    drawn = torch.Generator().manual_seed(2)
    found: list[Example] = []
    for _ in range(count):
        coarse = torch.rand(1, 3, 6, 6, generator=drawn) * 90 + 60
        image = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")[0]
        boxes: list[list[int]] = []
        for column in (0, 1):
            x, y = (int(v) for v in torch.randint(4, 26, (2,), generator=drawn))
            w, h = (int(v) for v in torch.randint(12, 22, (2,), generator=drawn))
            x, y = x + 46 * column, y + int(torch.randint(0, 40, (), generator=drawn))
            image[:, y : y + h, x : x + w] = 20 + 200 * torch.rand(3, 1, 1, generator=drawn)
            boxes.append([x, y, x + w, y + h])
        picture = image.clamp(0, 255).to(torch.uint8)
        found.append(Example(picture, torch.tensor(boxes).float(), torch.tensor([0, 1])))
    return found


def mirrored(boxes: Tensor) -> Tensor:
    return torch.stack([SIZE - boxes[:, 2], boxes[:, 1], SIZE - boxes[:, 0], boxes[:, 3]], 1)


def with_boxes(change) -> list[Example]:
    return [replace(one, boxes_xyxy=change(one.boxes_xyxy)) for one in scenes()]


def of_the_next() -> list[Example]:
    found = scenes()
    return [replace(a, image=b.image) for a, b in zip(found, found[1:] + found[:1], strict=True)]


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (with_boxes(mirrored), "mirrored"),
        (with_boxes(lambda boxes: boxes[:, [1, 0, 3, 2]]), "with x and y exchanged"),
        (of_the_next(), "on the picture of the sample"),
    ],
)
def test_boxes_that_fit_another_reading_are_an_error(samples, words: str) -> None:
    findings = findings_of(CHECK, altered(samples=samples))
    assert [f.severity for f in findings] == ["error"]
    assert words in findings[0].evidence


def test_one_sample_again_and_again_is_a_warning() -> None:
    findings = findings_of(CHECK, altered(samples=[scenes()[3]] * 8))
    assert [f.severity for f in findings] == ["warning"]
    assert "the first one again" in findings[0].evidence


def test_boxes_on_their_own_pictures_are_clear() -> None:
    assert findings_of(CHECK, altered(samples=scenes())) == []
    assert findings_of(CHECK, SOUND) == []  # noise: nothing stands out


def test_empty_pictures_are_clear() -> None:
    blank = [replace(one, image=torch.zeros_like(one.image)) for one in scenes()]
    assert findings_of(CHECK, altered(samples=blank)) == []


def test_a_few_samples_say_nothing() -> None:
    assert result_of(CHECK, altered(samples=scenes(3))).outcome == "not run"


def test_reads_well() -> None:
    findings = findings_of(CHECK, altered(samples=of_the_next()))
    assert findings[0].evidence == snapshot(
        "Boxes differ from what is around them 4.4 times as much if they are read on the picture of the sample before, in 10 samples (16 standard errors)."
    )
