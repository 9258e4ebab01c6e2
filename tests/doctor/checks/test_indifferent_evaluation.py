from collections.abc import Callable
from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, Answer, Example, altered, cxcywh, evaluate, examples
import torch
from torch import Tensor

CHECK = "indifferent-evaluation"
Evaluate = Callable[[list[Answer], list[Example]], float]


def said(answer: object, **parts: object) -> Answer:
    names = ("boxes_xyxy", "scores", "labels")
    return Answer(**{name: parts.get(name, getattr(answer, name)) for name in names})


def first_lost(found: list[Answer], labelled: list[Example]) -> float:
    """Read the annotation with the id 0 as none."""
    return evaluate([said(found[0], boxes_xyxy=found[0].boxes_xyxy * 0), *found[1:]], labelled)


def other_format(found: list[Answer], labelled: list[Example]) -> float:
    return evaluate([said(a, boxes_xyxy=cxcywh(a.boxes_xyxy)) for a in found], labelled)


def always_right(found: list[Answer], labelled: list[Example]) -> float:
    return 1.0


def no_labels(found: list[Answer], labelled: list[Example]) -> float:
    blind = [replace(example, labels=example.labels * 0) for example in labelled]
    return evaluate([said(a, labels=a.labels * 0) for a in found], blind)


def of_the_truth_only(found: list[Answer], labelled: list[Example]) -> float:
    """The shared part by the object's own size, not by that of both."""
    hits = total = 0
    for answer, example in zip(found, labelled, strict=True):
        for box, label in zip(example.boxes_xyxy, example.labels, strict=True):
            mine = answer.boxes_xyxy[answer.labels == label]
            low, high = torch.maximum(mine[:, :2], box[:2]), torch.minimum(mine[:, 2:], box[2:])
            own = (box[2:] - box[:2]).prod()
            hits += bool(((high - low).clamp(min=0).prod(1) / own > 0.5).any())
            total += 1
    return hits / total


def of_middles_only(found: list[Answer], labelled: list[Example]) -> float:
    small = [replace(e, boxes_xyxy=as_points(e.boxes_xyxy)) for e in labelled]
    return evaluate([said(a, boxes_xyxy=as_points(a.boxes_xyxy)) for a in found], small)


def as_points(boxes: Tensor) -> Tensor:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return torch.cat([middle - 2, middle + 2], 1)


def broken(found: list[Answer], labelled: list[Example]) -> float:
    raise KeyError("image_id")


def test_an_evaluator_that_tells_right_from_wrong_is_clear() -> None:
    assert findings_of(CHECK, SOUND) == []


@pytest.mark.parametrize(
    ("evaluate", "severity", "words"),
    [
        (first_lost, "error", "must score 1"),
        (other_format, "error", "must score 1"),
        (always_right, "error", "moved out of their places, still score 1.000"),
        (no_labels, "warning", "with labels of other classes still score 1.000"),
        (of_the_truth_only, "error", "4 times larger about their middles, still score 1.000"),
        (of_middles_only, "warning", "4 times larger about their middles, still score 1.000"),
        (broken, "error", "`evaluate` raised KeyError"),
    ],
)
def test_an_evaluator_that_does_not_is_told(evaluate, severity: str, words: str) -> None:
    finding = findings_of(CHECK, altered(evaluate=evaluate))[0]
    assert (finding.severity, words in finding.evidence) == (severity, True)


def of_its_own_type(found: list[Answer], labelled: list[Example]) -> float:
    if not all(type(answer) is Answer for answer in found):
        raise AttributeError("this is no Answer")
    return evaluate(found, labelled)


def test_detections_are_of_the_type_that_decode_gives() -> None:
    assert findings_of(CHECK, altered(evaluate=of_its_own_type)) == []
    result = result_of(CHECK, altered(evaluate=of_its_own_type, decode=None))
    assert result.outcome == "not run"


def test_samples_must_be_sound_themselves() -> None:
    samples = [replace(e, labels=e.labels + 9) for e in examples()]
    assert result_of(CHECK, altered(samples=samples)).outcome == "not run"


def test_reads_well() -> None:
    assert findings_of(CHECK, altered(evaluate=first_lost))[0].evidence == snapshot(
        "The samples' own boxes, given as detections, score 0.875; they must score 1."
    )
