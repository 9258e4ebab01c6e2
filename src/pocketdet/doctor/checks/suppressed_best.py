"""Suppression that deletes the surest of several answers to one object.

## What it finds
Outputs state an object, and at other rows, less surely, one that overlaps it widely. After `decode`
the surer one must be there. It reports suppression that keeps the less sure one in its place, or
neither.

## Why it costs AP
A trained detector answers to each object many times. What is kept is then the worst of the answers,
with the lowest score: boxes are coarse, and the ranking of all detections is turned over. With one
answer an object, as ground truth has, nothing of it shows.

## Usual causes
- Sorting in ascending order, or `topk(..., largest=False)`.
- Indices into the sorted boxes that are used on the unsorted ones.
- Scores that were turned to distances or background before the suppression.

## When it is not a fault
Boxes that are averaged with their neighbours (weighted fusion) are another box than either, and are
told by how far they are off. Outputs of queries, where one row speaks of one object, have no
second answer, and the check is not run.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.second_answers import SecondAnswer
from pocketdet.doctor.pipeline import DetectionPipeline

MOST = 0.5  # of the objects


def find_suppressed_bests(
    second_answers: tuple[SecondAnswer, ...], pipeline: DetectionPipeline
) -> Iterator[Fault]:
    lost = [one for one in second_answers if not one.has_surer]
    if len(lost) <= MOST * len(second_answers):
        return
    kept = [one for one in lost if one.has_other]
    first = (kept or lost)[0]
    instead = (
        f"in {len(kept)} of them the other is there in its place"
        if kept
        else "and the other is not there either"
    )
    yield Fault(
        where="",
        source=stage_source(pipeline, "decode"),
        evidence=f"Where two rows answer to one object, `decode` drops the surer one for "
        f"{len(lost)} of {len(second_answers)} objects; {instead}. One scores "
        f"{first.surer_score:.2f}, the other, with an IoU of {first.iou:.2f}, {first.score:.2f}.",
        measured={"lost": len(lost), "of": len(second_answers), "kept": len(kept)},
    )


CHECK = Check(
    id="suppressed-best",
    summary="suppression that deletes the surest answer",
    stage=Stage.ROUND_TRIP,
    severity=Severity.ERROR,
    remedy="Sort by score in descending order, keep the first, drop what overlaps it, and go on "
    "with what is left; index boxes, scores and labels by the same order.",
    find=find_suppressed_bests,
    explained_by=("unsound-sample", "lost-ground-truth"),
)
