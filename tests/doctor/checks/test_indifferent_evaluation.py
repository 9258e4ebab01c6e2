from collections.abc import Callable
from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, Answer, Example, altered, cxcywh, evaluate, examples

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
