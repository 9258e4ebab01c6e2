from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SIZE, SOUND, Example, altered
import torch

CHECK = "left-behind-box"


def image_only(example: Example) -> Example:
    is_flipped = bool(torch.rand(()) < 0.5)
    return replace(example, image=example.image.flip(-1)) if is_flipped else example


def ends_not_exchanged(example: Example) -> Example:
    boxes = example.boxes_xyxy.clone()
    boxes[:, [0, 2]] = SIZE - boxes[:, [0, 2]]
    return replace(example, image=example.image.flip(-1), boxes_xyxy=boxes)


def turned(example: Example) -> Example:
    return replace(example, image=example.image.transpose(-1, -2))


def cropped(example: Example) -> Example:
    boxes = example.boxes_xyxy + torch.tensor([20.0, 0.0, 20.0, 0.0])
    return replace(example, image=example.image[:, :, 20:], boxes_xyxy=boxes)


def other_labels(example: Example) -> Example:
    return replace(example, labels=example.labels.flip(0))


def grey(example: Example) -> Example:
    mean = example.image.float().mean(0, keepdim=True).to(torch.uint8)
    return replace(example, image=mean.expand(3, -1, -1))


def colours(example: Example) -> Example:
    """Permute channels, darken and enlarge, with boxes that follow."""
    image = example.image[torch.randperm(3)].float() * 0.6
    image = torch.nn.functional.interpolate(image[None], scale_factor=1.5)[0]
    return Example(image.to(torch.uint8), example.boxes_xyxy * 1.5, example.labels)


def test_boxes_that_follow_their_pixels_are_clear() -> None:
    assert findings_of(CHECK, SOUND) == []
    assert findings_of(CHECK, altered(transform=colours)) == []


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (image_only, "mirror image"),
        (ends_not_exchanged, ""),
        (turned, "x and y exchanged"),
        (cropped, ""),
        (other_labels, "has another label"),
    ],
)
def test_boxes_or_labels_that_stay_behind_are_an_error(transform, words: str) -> None:
    (finding,) = findings_of(CHECK, altered(transform=transform))
    assert finding.severity == "error"
    assert words in finding.evidence
    assert (finding.source or "").startswith("test_left_behind_box.py:")


def test_what_cannot_be_followed_is_not_run() -> None:
    assert result_of(CHECK, altered(transform=grey)).outcome == "not run"
    assert result_of(CHECK, altered(transform=None)).reason == "needs `pipeline.transform`"


def test_reads_well() -> None:
    assert findings_of(CHECK, altered(transform=image_only))[0].evidence == snapshot(
        "In 48 of 96 draws of `transform` no box lies where its pixels went: those of (6, 8, 36, 33) in sample 0 went to (60, 8, 90, 33), and the nearest box is (53, 14, 80, 41). The boxes are the mirror image of where the pixels are."
    )
