"""What the training loss asks for true answers, and for answers that are wrong in one respect."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed
from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.loss_lines import line_of_choice
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors, tensors_in, with_tensors
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.observations.labelled import Labelled
from pocketdet.doctor.observations.loss_sums import LossSum, loss_sums
from pocketdet.doctor.observations.truths import Truths, sound_part
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.statements import mixed, speaks

STEP = 0.15  # of a box's size: it keeps most of its rows
TEMPERATURES = (0.5, 0.25)  # of the truth, for losses that want no certainty
MOST_OBJECTS = 12
MOVES = ("in x", "in y", "in width", "in height")


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerCosts:
    """The loss and its terms, for outputs of the doctor's making.

    - `truth`, `nothing`: outputs that state the targets, and empty images; `own`: the network's;
    - `zero`: outputs that are zero;
    - `others`: the targets of other images of the batch, None with one image;
    - `relabelled`: the right boxes with other classes, None with one class;
    - `calmer`: the truth at lower temperatures;
    - `extra`: the truth, and besides, at other rows, the objects of another image;
    - `without`: the truth without one object, for each that a target is made of;
    - `moved`: by kind, the truth with boxes that are a little off, both ways: the same rows speak;
    - `choice`: the line at which the loss sorts its rows, if it does.
    """

    truth: LossSum
    nothing: LossSum
    own: LossSum
    zero: LossSum
    others: LossSum | None
    relabelled: LossSum | None
    calmer: tuple[LossSum, ...]
    extra: LossSum | None
    without: tuple[LossSum, ...]
    moved: dict[str, tuple[LossSum, ...]]
    choice: SourceLine | None = None


def answer_costs(
    answered_loss: AnsweredLoss, truths: Truths, pipeline: DetectionPipeline
) -> AnswerCosts:
    """Ask the loss for the price of each answer."""
    truth, size = truths.truth, answered_loss.batch_size
    answers: dict[tuple[str, int], Any] = {
        ("truth", 0): truth,
        ("nothing", 0): truths.nothing,
        ("own", 0): answered_loss.own,
        ("zero", 0): _times(truth, 0.0, size),
    }
    answers |= {("calmer", n): _times(truth, t, size) for n, t in enumerate(TEMPERATURES)}
    if size > 1:
        answers["others", 0] = map_tensors(truth, _if_batched(size, lambda t: t.roll(1, 0)))
    if size > 1 and not answered_loss.is_drawn:  # drawn negatives may leave all of these out
        extra = mixed(_besides, truth, answers["others", 0], truths.nothing)
        if _differ(extra, truth):
            answers["extra", 0] = extra
    try:
        lacking = (one for one in _lacking(truths) if _differ(one, truth))
        answers |= {("without", n): one for n, one in enumerate(islice(lacking, MOST_OBJECTS))}
        if pipeline.num_classes > 1:
            change = partial(relabelled, num_classes=pipeline.num_classes)
            answers["relabelled", 0] = truths.state(change)
        for number, kind in enumerate(MOVES):
            answers |= {(kind, n): one for n, one in enumerate(_moved(truths, number))}
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    costs = dict(zip(answers, loss_sums(answered_loss, list(answers.values())), strict=True))
    moved = {kind: tuple(c for (k, _), c in costs.items() if k == kind) for kind in MOVES}
    return AnswerCosts(
        truth=costs["truth", 0],
        nothing=costs["nothing", 0],
        own=costs["own", 0],
        zero=costs["zero", 0],
        others=costs.get(("others", 0)),
        relabelled=costs.get(("relabelled", 0)),
        calmer=tuple(costs["calmer", n] for n in range(len(TEMPERATURES))),
        extra=costs.get(("extra", 0)),
        without=tuple(cost for (kind, _), cost in costs.items() if kind == "without"),
        moved={kind: some for kind, some in moved.items() if some},
        choice=line_of_choice(answered_loss.recorded(truth)),
    )


def _besides(truth: Tensor, other: Tensor, nothing: Tensor) -> Tensor:
    return torch.where(speaks(truth, nothing), truth, other)


def _differ(one: Any, other: Any) -> bool:
    pairs = zip(tensors_in(one), tensors_in(other), strict=True)
    return any(not torch.equal(a, b) for (_, a), (_, b) in pairs)


def _lacking(truths: Truths) -> Iterator[Any]:
    """Give outputs that state all objects but one."""
    for number, one in enumerate(truths.samples):
        for left_out in range(0 if one is None else int(one.sound.sum())):
            yield truths.state_without(number, left_out)


def relabelled(one: Labelled, num_classes: int) -> tuple[Tensor, Tensor]:
    """Give each box the next class."""
    boxes, labels = sound_part(one)
    return boxes, (labels + 1) % max(num_classes, 1)


def _moved(truths: Truths, kind: int) -> Iterator[Any]:
    """Give outputs in which the rows that speak of an object say a box that is a little off."""
    for sign in (-1, 1):
        other = truths.state(partial(off, kind=kind, by=sign * STEP))
        mixed = mixed_where_both_speak(truths, other)
        if mixed is not None:
            yield mixed


def mixed_where_both_speak(truths: Truths, other: Any) -> Any | None:
    """Give the truth, with the other's values where both say what an empty image does not.

    These are the values of boxes, at the rows that speak of both: scores are the same in both.
    None where nothing is changed.
    """
    parts = [dict(tensors_in(one)) for one in (truths.truth, other, truths.nothing)]
    changed = {
        path: torch.where((true != empty) & (said != empty), said, true)
        for path, true in parts[0].items()
        for said, empty in [(parts[1][path], parts[2][path])]
    }
    if all(torch.equal(changed[path], true) for path, true in parts[0].items()):
        return None
    return with_tensors(truths.truth, changed.values())


def off(one: Labelled, kind: int, by: float) -> tuple[Tensor, Tensor]:
    """Move (0 in x, 1 in y) or resize (2 in width, 3 in height) boxes that stay in the image."""
    boxes, labels = sound_part(one)
    axis = kind % 2
    step = by * (boxes[:, axis + 2] - boxes[:, axis])
    changed = boxes.clone()
    changed[:, axis] += step if kind < len(MOVES) // 2 else -step / 2
    changed[:, axis + 2] += step if kind < len(MOVES) // 2 else step / 2
    room = (one.width, one.height)[axis]
    inside = (changed[:, axis] >= 0) & (changed[:, axis + 2] <= room)
    return torch.where(inside[:, None], changed, boxes), labels


def _times(outputs: Any, factor: float, size: int) -> Any:
    return map_tensors(outputs, _if_batched(size, lambda tensor: tensor * factor))


def _if_batched(size: int, change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def applied(tensor: Tensor) -> Tensor:
        is_answer = tensor.ndim > 1 and len(tensor) == size and tensor.is_floating_point()
        return change(tensor) if is_answer else tensor

    return applied
