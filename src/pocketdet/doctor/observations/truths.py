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


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths:
    """For each image of the loss, the sample that it asks for.

    - `samples`: None for an image of which that cannot be told;
    - `first`: the samples whose images are shown, empty where others are;
    - `deaf`: images of which nothing that is stated changes the loss, though of others it does;
    - `state`: (sample's boxes, labels) of each image to joined outputs that state them;
    - `truth`, `nothing`: such outputs of the samples themselves, and of empty images.
    """

    samples: tuple[Labelled | None, ...]
    first: tuple[Labelled, ...]
    deaf: tuple[int, ...]
    state: Callable[[Callable[[Labelled], tuple[Tensor, Tensor]]], Any]
    truth: Any
    nothing: Any

    def state_without(self, image: int, box: int) -> Any:
        """Give joined outputs that state all of the truth but one box of one image."""
        chosen = self.samples[image]

        def all_but_one(one: Labelled) -> tuple[Tensor, Tensor]:
            boxes, labels = _sound(one)
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
        answers = [single(*_sound(one)) for one in candidates]
        empty = _empty(single, answers)
        size = answered_loss.batch_size
        nothing = answered_loss.joined([empty] * size)
        costs = [_costs(answered_loss, slot, answers, empty) for slot in range(size)]
        found = [_best(candidates, *each) for each in costs]
        if not any(found):
            raise NotObservable(
                "the loss asks for none of the samples' boxes, as far as can be told"
            )

        def state(change: Callable[[Labelled], tuple[Tensor, Tensor]]) -> Any:
            each = [empty if one is None else single(*change(one)) for one in found]
            return answered_loss.joined(each)

        return Truths(
            samples=tuple(found),
            first=answered_loss.first,
            deaf=tuple(
                n
                for n, (silent, losses) in enumerate(costs[: answered_loss.num_given])
                if bool((losses == silent).all())
            ),
            state=state,
            truth=state(_sound),
            nothing=nothing,
        )
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure


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


def _sound(one: Labelled) -> tuple[Tensor, Tensor]:
    return one.boxes_xyxy[one.sound], one.labels[one.sound]


def _candidates(answered_loss: AnsweredLoss, labelled: tuple[Labelled, ...]) -> list[Labelled]:
    """Give the samples of the images themselves, and others."""
    known = {one.number: one for one in (*answered_loss.first, *labelled)}
    sound = [one for one, _, _ in sound_boxes(tuple(known.values()))]
    return sound[:MOST_CANDIDATES]


@torch.no_grad()
def _costs(
    answered_loss: AnsweredLoss, slot: int, answers: list[Any], empty: Any
) -> tuple[float, Tensor]:
    """Give the loss of an empty image in this place, and of each sample's statement."""
    size = answered_loss.batch_size

    def loss(answer: Any) -> float:
        each = [answer if number == slot else empty for number in range(size)]
        return float(answered_loss(answered_loss.joined(each)))

    return loss(empty), torch.tensor([loss(answer) for answer in answers], dtype=torch.float64)


def _best(candidates: list[Labelled], silent: float, losses: Tensor) -> Labelled | None:
    """Give the sample whose statement costs clearly least, None without one."""
    order = losses.argsort()
    best = int(order[0])
    saved = silent - float(losses[best])
    if not saved > 0:
        return None
    if len(order) > 1 and float(losses[order[1]] - losses[best]) < CLEARLY * saved:
        return None
    return candidates[best]
