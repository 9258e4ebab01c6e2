"""An evaluator that does not give ground truth its due, or wrong answers theirs.

## What it finds
`evaluate` is given the samples' own boxes as detections, which must score 1; the same boxes moved
away, a hundred times larger, four times as large or as small about their middles, or with other
labels, which must score about 0; and the same in another order of images, which must change
nothing.

## Why it costs AP
Every comparison rests on this figure. Perfect detections have scored 0 because annotation ids
began at 0, and a score has risen when all boxes were made a hundred times larger.

## Usual causes
- Annotation ids that begin at 0, which COCO's evaluator takes for "no match".
- Boxes in (x, y, w, h) at one side and corners at the other; boxes of the resized image.
- Category ids in place of classes; images matched by their place in a list.

## When it is not a fault
Boxes that an evaluator leaves out on purpose (crowds, difficult ones) score neither way. An
evaluation that looks at boxes only ignores labels on purpose: that is a warning.
"""

from collections.abc import Callable, Iterator, Sequence
import copy
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import Said, StageFailed, stage, stage_source
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline

PERFECT = 0.95
NOTHING = 0.05
MOSTLY_WRONG = 0.5
SAME = 1e-4
TIMES = 100.0  # as in a fault that was found in the wild
ABOUT = 4.0  # times as long and as wide about the middle: an IoU of 1/16
FILLS = 0.3  # of an IoU that is left where an evaluator cuts boxes at the image's border

Change = Callable[[Said], Said]


def find_indifferent_evaluation(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    raw_evaluate = stage(pipeline, "evaluate")
    like = _users_detections(pipeline, labelled)

    def evaluate(said: list[Said], samples: list[Any]) -> float:
        return float(raw_evaluate([as_users(one, like) for one in said], samples))

    if not all(bool(one.sound.all()) and len(one.sound) for one in labelled if len(one.labels)):
        raise NotObservable("the samples' own boxes are not sound")
    source = stage_source(pipeline, "evaluate")
    try:
        yield from _judged(evaluate, labelled, pipeline.num_classes, source)
    except StageFailed as failure:
        if like is None and isinstance(failure.__cause__, AttributeError | TypeError):
            words = "takes detections of a type of its own, which `pipeline.decode` would show"
            raise NotObservable(f"`evaluate` {words}") from failure
        yield Fault(
            where="",
            source=failure.source or source,
            evidence=f"{failure}, on the samples' own boxes as detections.",
        )


def _users_detections(pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]) -> Any:
    """Give what the user's own `decode` gives for one image, None where it cannot be had."""
    try:
        for _, boxes, labels in sound_boxes(labelled):
            outputs = stage(pipeline, "perfect")(encoded(pipeline, boxes, labels))
            return next(iter(stage(pipeline, "decode")(outputs)), None)
    except (StageFailed, NotObservable, TypeError):
        return None
    return None


def as_users(said: Said, like: Any) -> Any:
    """Give made-up detections the type of the user's own, where it can be filled in."""
    parts = {"boxes_xyxy": said.boxes_xyxy, "scores": said.scores, "labels": said.labels}
    if like is None:
        return said
    if is_dataclass(like) and not isinstance(like, type):
        names = {field.name for field in fields(like) if field.init}
        return replace(like, **parts) if parts.keys() <= names else said
    if isinstance(like, tuple):
        filled: Any = getattr(like, "_replace", None)
        return filled(**parts) if filled is not None else said
    other = copy.copy(like)
    try:
        for name, value in parts.items():
            setattr(other, name, value)
    except AttributeError:
        return said
    return other


def _judged(
    evaluate: Callable[..., Any],
    labelled: tuple[Labelled, ...],
    num_classes: int,
    source: SourceLine | None,
) -> Iterator[Fault]:
    def score(change: Change, samples: Sequence[Labelled] = labelled) -> float:
        return float(evaluate([change(_truth(s)) for s in samples], [s.sample for s in samples]))

    own = score(_unchanged)
    if not own >= PERFECT:
        yield _fault("", f", given as detections, score {own:.3f}; they must score 1", own, source)
        return
    for words, change, most, severity in _changes(num_classes):
        value = score(change)
        if value > most:
            yield _fault(words, f" still score {value:.3f}", value, source, severity)
    yield from _of_size(score, labelled, source)
    turned = score(_unchanged, labelled[::-1])
    if abs(turned - own) > SAME:
        words = f" score {turned:.4f} in place of {own:.4f}"
        yield _fault(", in the reverse order of images,", words, turned, source, Severity.WARNING)


def _changes(num_classes: int) -> Iterator[tuple[str, Change, float, Severity]]:
    yield ", moved out of their places,", _moved, NOTHING, Severity.ERROR
    yield f", made {TIMES:g} times larger,", _enlarged, NOTHING, Severity.ERROR
    if num_classes > 1:
        relabelled = partial(_relabelled, num_classes=num_classes)
        yield " with labels of other classes", relabelled, MOSTLY_WRONG, Severity.WARNING


def _of_size(
    score: Callable[[Change], float], labelled: tuple[Labelled, ...], source: SourceLine | None
) -> Iterator[Fault]:
    """Change the sizes about the middles; what does not look at sizes at all may mean not to."""
    most = NOTHING + _share_that_fills(labelled)
    scores = {"larger": score(partial(_resized, by=ABOUT)), "smaller": score(_shrunk)}
    high = {name: value for name, value in scores.items() if value > most}
    for name, value in high.items():
        severity = Severity.ERROR if len(high) == 1 else Severity.WARNING
        words = f", {ABOUT:g} times {name} about their middles,"
        yield _fault(words, f" still score {value:.3f}", value, source, severity)


def _fault(
    change: str,
    result: str,
    score: float,
    source: SourceLine | None,
    severity: Severity = Severity.ERROR,
) -> Fault:
    return Fault(
        where="",
        source=source,
        evidence=f"The samples' own boxes{change}{result}.",
        measured={"score": score},
        severity=severity,
    )


def _truth(one: Labelled) -> Said:
    count = len(one.labels)
    return Said(
        boxes_xyxy=one.boxes_xyxy.float().clone(),
        scores=torch.linspace(0.99, 0.9, max(count, 1))[:count],
        labels=one.labels.clone(),
    )


def _unchanged(said: Said) -> Said:
    return said


def _moved(said: Said) -> Said:
    return _with_boxes(said, said.boxes_xyxy + 10_000)


def _enlarged(said: Said) -> Said:
    return _with_boxes(said, said.boxes_xyxy * TIMES)


def _resized(said: Said, by: float) -> Said:
    middle = (said.boxes_xyxy[:, :2] + said.boxes_xyxy[:, 2:]) / 2
    half = (said.boxes_xyxy[:, 2:] - said.boxes_xyxy[:, :2]) / 2 * by
    return _with_boxes(said, torch.cat([middle - half, middle + half], 1))


def _shrunk(said: Said) -> Said:
    return _resized(said, 1 / ABOUT)


def _share_that_fills(labelled: tuple[Labelled, ...]) -> float:
    """Give the share of boxes that cover much of themselves enlarged and cut at the border."""
    shares: list[Tensor] = []
    for one in labelled:
        boxes = one.boxes_xyxy
        large = _resized(_truth(one), ABOUT).boxes_xyxy.double().clamp_min(0)
        large = torch.minimum(large, torch.tensor([one.width, one.height] * 2).double())
        areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, large)]
        shares.append(areas[0] / areas[1].clamp_min(1e-9) > FILLS)
    return float(torch.cat(shares).double().mean())


def _with_boxes(said: Said, boxes: Tensor) -> Said:
    return Said(boxes_xyxy=boxes, scores=said.scores, labels=said.labels)


def _relabelled(said: Said, num_classes: int) -> Said:
    labels = (said.labels + 1).remainder(num_classes)
    return Said(boxes_xyxy=said.boxes_xyxy, scores=said.scores, labels=labels)


CHECK = Check(
    id="indifferent-evaluation",
    summary="an evaluator that does not tell right detections from wrong ones",
    stage=Stage.ROUND_TRIP,
    severity=Severity.ERROR,
    remedy="Let annotation ids begin at 1, give both sides the same box format, image size, class "
    "list and image ids, and keep this probe as a test of the evaluator.",
    find=find_indifferent_evaluation,
    explained_by=("unsound-sample",),
)
