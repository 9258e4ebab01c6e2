"""Outputs that state what the training loss asks for, and which samples these are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in, with_tensors
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline

MOST_CANDIDATES = 8  # samples that an image's targets may be of
LEAST_FOR_THE_USUAL = 5  # statements, of which most are silent at each place
CLEARLY = 0.2  # of what the best sample saves, that the next one must save less
APART = 0.3  # of the way to the middle of all, where the best one costs more than silence


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths:
    """For each image of the loss, the sample that it asks for.

    - `samples`: None for an image of which that cannot be told;
    - `first`: the samples whose images are shown, empty where others are;
    - `deaf`: images of which nothing that is stated changes the loss, though of others it does;
    - `unwanted`: images whose own sample costs more than an empty image's outputs;
    - `state`: (sample's boxes, labels) of each image to joined outputs that state them;
    - `truth`, `nothing`: such outputs of the samples themselves, and of empty images.
    """

    samples: tuple[Labelled | None, ...]
    first: tuple[Labelled, ...]
    deaf: tuple[int, ...]
    unwanted: tuple[int, ...]
    state: Callable[[Callable[[Labelled], tuple[Tensor, Tensor]]], Any]
    truth: Any
    nothing: Any

    def state_without(self, image: int, box: int) -> Any:
        """Give joined outputs that state all of the truth but one box of one image."""
        chosen = self.samples[image]

        def all_but_one(one: Labelled) -> tuple[Tensor, Tensor]:
            boxes, labels = sound_part(one)
            kept = torch.arange(len(boxes)) != (box if one is chosen else -1)
            return boxes[kept], labels[kept]

        return self.state(all_but_one)


def truths(
    answered_loss: AnsweredLoss, pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Truths:
    """Let the outputs state one sample after the other, and see for which the loss is lowest."""
    stage(pipeline, "perfect")

    def single(boxes: Tensor, labels: Tensor) -> Any:
        return stage(pipeline, "perfect")(encoded(pipeline, boxes, labels))

    candidates = _candidates(answered_loss, labelled)
    try:
        answers = [single(*sound_part(one)) for one in candidates]
        empty = _empty(single, answers)
        asked = [
            _asked(answered_loss, slot, candidates, answers, empty, single)
            for slot in range(answered_loss.batch_size)
        ]
        found = [one.best for one in asked]
        if not any(found):
            found = [one.nearest for one in asked]
        if not any(found):
            raise NotObservable(
                "the loss asks for none of the samples' boxes, as far as can be told"
            )

        def state(change: Callable[[Labelled], tuple[Tensor, Tensor]]) -> Any:
            each = [empty if one is None else single(*change(one)) for one in found]
            return answered_loss.joined(each)

        given = asked[: answered_loss.num_given]
        return Truths(
            samples=tuple(found),
            first=answered_loss.first,
            deaf=tuple(n for n, one in enumerate(given) if one.is_deaf),
            unwanted=tuple(n for n, one in enumerate(given) if one.is_unwanted),
            state=state,
            truth=state(sound_part),
            nothing=answered_loss.joined([empty] * answered_loss.batch_size),
        )
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What one image's outputs are asked to state; `nearest`: its own sample, if dear even so."""

    best: Labelled | None
    nearest: Labelled | None
    is_deaf: bool
    is_unwanted: bool


def _asked(
    answered_loss: AnsweredLoss,
    slot: int,
    candidates: list[Labelled],
    answers: list[Any],
    empty: Any,
    single: Callable[[Tensor, Tensor], Any],
) -> _Asked:
    """Let one image's outputs state each sample: its own as it is shown, which may be mirrored."""
    own = answered_loss.first[slot] if slot < len(answered_loss.first) else None
    chosen = [own if own and own.number == one.number else one for one in candidates]
    stated = [
        answer if one is before else single(*sound_part(one))
        for one, before, answer in zip(chosen, candidates, answers, strict=True)
    ]
    silent, losses = costs_of(answered_loss, slot, stated, empty)
    best = best_of(chosen, silent, losses)
    is_dear = own is not None and any(
        one is own and loss > silent and not is_same(answer, empty)
        for one, answer, loss in zip(chosen, stated, losses.tolist(), strict=True)
    )
    nearest = _nearest(chosen, losses)
    return _Asked(
        best=best,
        nearest=nearest if nearest is own else None,
        is_deaf=bool((losses == silent).all()),
        is_unwanted=is_dear and best is not own,
    )


def is_same(one: Any, other: Any) -> bool:
    """Say whether two statements hold the same numbers."""
    pairs = zip(tensors_in(one), tensors_in(other), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for (_, a), (_, b) in pairs)


def _empty(single: Callable[[Tensor, Tensor], Any], answers: list[Any]) -> Any:
    """State an empty image; where `encode` refuses one, what most images say at each place."""
    try:
        return single(torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0))
    except StageFailed:
        if len(answers) < LEAST_FOR_THE_USUAL:
            raise
    parts = [dict(tensors_in(one)) for one in answers]
    if any(p[path].shape != t.shape for p in parts for path, t in parts[0].items()):
        raise NotObservable("`encode` refuses an empty image")
    usual = {path: _middle([p[path] for p in parts]) for path in parts[0]}
    return with_tensors(answers[0], usual.values())


def _middle(tensors: list[Tensor]) -> Tensor:
    return torch.stack(tensors).median(0).values


def sound_part(one: Labelled) -> tuple[Tensor, Tensor]:
    """Give a sample's boxes that lie in the image and have a label, and these labels."""
    return one.boxes_xyxy[one.sound], one.labels[one.sound]


def _candidates(answered_loss: AnsweredLoss, labelled: tuple[Labelled, ...]) -> list[Labelled]:
    """Give the samples of the images themselves, and others."""
    known = {one.number: one for one in (*answered_loss.first, *labelled)}
    sound = [one for one, _, _ in sound_boxes(tuple(known.values()))]
    return sound[:MOST_CANDIDATES]


@torch.no_grad()
def costs_of(
    answered_loss: AnsweredLoss, slot: int, answers: list[Any], empty: Any
) -> tuple[float, Tensor]:
    """Give the loss of an empty image in this place, and of each sample's statement."""
    size = answered_loss.batch_size

    def loss(answer: Any) -> float:
        each = [answer if number == slot else empty for number in range(size)]
        return float(answered_loss(answered_loss.joined(each)))

    return loss(empty), torch.tensor([loss(answer) for answer in answers], dtype=torch.float64)


def best_of(candidates: list[Labelled], silent: float, losses: Tensor) -> Labelled | None:
    """Give the sample whose statement costs clearly least, None without one."""
    order = losses.argsort()
    best = int(order[0])
    saved = silent - float(losses[best])
    if not saved > 0:
        return None
    if len(order) > 1 and float(losses[order[1]] - losses[best]) < CLEARLY * saved:
        return None
    return candidates[best]


def _nearest(candidates: list[Labelled], losses: Tensor) -> Labelled | None:
    """Give the sample whose statement costs least by far, though it may cost more than silence."""
    if len(candidates) < LEAST_FOR_THE_USUAL or not bool(losses.isfinite().all()):
        return None
    order = losses.argsort()
    room = float(losses.median() - losses[order[0]])
    is_apart = float(losses[order[1]] - losses[order[0]]) >= APART * room > 0
    return candidates[int(order[0])] if is_apart else None
