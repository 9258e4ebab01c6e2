from dataclasses import replace

from data_report import findings_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import NUM_CLASSES, SOUND, Answer, altered, decode, encode, examples
import torch
from torch import Tensor

from pocketdet.doctor import DetectionPipeline

CHECK = "unreachable-class"


def background_first(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Take class 0 for the background."""
    return encode(boxes[labels > 0], labels[labels > 0])


def last_cut_off(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    deltas, classes = encode(boxes, labels)
    return deltas, classes.clamp(max=NUM_CLASSES - 1)


def too_few(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    torch.nn.functional.one_hot(labels, NUM_CLASSES - 1)
    return encode(boxes, labels)


def one_dropped(outputs: tuple[Tensor, Tensor]) -> list[Answer]:
    (answer,) = decode(outputs)
    keep = answer.labels != 2
    return [Answer(answer.boxes_xyxy[keep], answer.scores[keep], answer.labels[keep])]


def test_classes_that_are_all_found_are_clear() -> None:
    assert findings_of(CHECK, SOUND) == []


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (altered(encode=background_first), "Class 0 is no target"),
        (altered(encode=last_cut_off), "Class 3 is the same target as another class (class 2)"),
        (altered(encode=too_few), "Class 3 makes `encode` fail"),
        (altered(decode=one_dropped), "Class 2 does not come back"),
        (altered(encode=background_first, perfect=None), "Class 0 is no target"),
    ],
)
def test_a_class_that_is_lost_is_an_error(pipeline: DetectionPipeline, words: str) -> None:
    (finding,) = findings_of(CHECK, pipeline)
    assert finding.severity == "error"
    assert words in finding.evidence


def test_classes_that_the_samples_lack_are_tried_too() -> None:
    samples = [replace(e, labels=torch.full_like(e.labels, 1)) for e in examples()]
    pipeline = altered(samples=samples, encode=last_cut_off)
    assert len(findings_of(CHECK, pipeline)) == 1
    assert findings_of(CHECK, altered(samples=samples)) == []


def test_reads_well() -> None:
    assert findings_of(CHECK, altered(encode=background_first))[0].evidence == snapshot(
        "Class 0 is no target: `encode` makes of it what it makes of an empty image."
    )
