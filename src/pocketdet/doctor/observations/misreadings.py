"""In which other reading of the samples' boxes and classes they are what the loss asks for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.loss_lines import line_of_classes
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors, tensors_in
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.observations.truths import Truths, best_of, costs_of, sound_part
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.statements import mixed
from pocketdet.doctor.turns import Turn

MOST_OTHERS = 5  # samples beside an image's own, of which its own must be told
LEAST_ROWS = 64
ROW_AXES = 3  # (b, rows, channels)
MOST_CLASSES = 6  # that are stated everywhere, each for itself

Read = Callable[[Labelled], Labelled]


@dataclass(frozen=True, kw_only=True, eq=False)
class Misreadings:
    """What the loss asks for, where it does not ask for what `encode` and `perfect` state.

    - `silent`, `truth`: the loss of outputs that say nothing, and that state the samples;
    - `images`: of the batch, those that ask for something else;
    - `words`, `cost`: the reading in which the samples cost least, and what they cost; None where
      there is none such;
    - `everywhere`: by class, the loss of outputs that say this class at each row;
    - `classes_at`: the line at which the loss makes or takes its classes.
    """

    silent: float
    truth: float
    images: tuple[int, ...]
    words: str | None
    cost: float
    everywhere: dict[int, float]
    classes_at: SourceLine | None = None


def misreadings(
    answered_loss: AnsweredLoss,
    pipeline: DetectionPipeline,
    labelled: tuple[Labelled, ...],
    truths: Truths | None = None,
) -> Misreadings:
    """Try each reading where the loss does not ask for the samples as they are."""
    try:
        asking = _Asking(answered_loss, pipeline, labelled, truths)
        silent = asking.cost(None)
        readings = [] if asking.is_content else list(_readings(pipeline))
        every = {words: asking.cost(read) for words, read in readings if asking.is_told(read)}
        words = min(every, key=lambda name: every[name], default=None)
        return Misreadings(
            silent=silent,
            truth=asking.cost(lambda one: one),
            images=tuple(asking.slots),
            words=words,
            cost=silent if words is None else every[words],
            everywhere=dict(asking.everywhere(pipeline.num_classes)),
            classes_at=line_of_classes(answered_loss.recorded(answered_loss.own)),
        )
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure


class _Asking:
    def __init__(
        self,
        answered_loss: AnsweredLoss,
        pipeline: DetectionPipeline,
        labelled: tuple[Labelled, ...],
        truths: Truths | None,
    ) -> None:
        stage(pipeline, "perfect")
        self.loss, self.pipeline = answered_loss, pipeline
        self.own = answered_loss.first
        if not self.own or len(self.own) != answered_loss.batch_size:
            raise NotObservable("which sample's image the loss is of cannot be told")
        self.is_content = truths is not None and not truths.unwanted
        slots = range(len(self.own)) if truths is None else truths.unwanted
        self.slots = [n for n in slots if bool(self.own[n].sound.any())]
        others = [one for one, _, _ in sound_boxes(labelled)]
        known = {one.number for one in self.own}
        self.others = [one for one in others if one.number not in known][:MOST_OTHERS]
        if not self.others:
            raise NotObservable("there are too few samples to tell theirs apart")
        self.empty = self._stated(torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0))

    def _stated(self, boxes: Tensor, labels: Tensor) -> object:
        return stage(self.pipeline, "perfect")(encoded(self.pipeline, boxes, labels))

    def cost(self, read: Read | None) -> float:
        """Give the loss where outputs state the images' own samples, some of them in a reading."""
        if read is None:
            each = [self.empty] * len(self.own)
        else:
            stated = [read(o) if n in self.slots else o for n, o in enumerate(self.own)]
            each = [self._stated(*sound_part(one)) for one in stated]
        with torch.no_grad():
            return float(self.loss(self.loss.joined(each)))

    def is_told(self, read: Read) -> bool:
        """Say whether, in this reading, each image's own sample costs least, and less than none."""
        return bool(self.slots) and all(self._is_told_by(slot, read) for slot in self.slots)

    def _is_told_by(self, slot: int, read: Read) -> bool:
        own = self.own[slot]
        among = [read(one) for one in (own, *(o for o in self.own if o is not own), *self.others)]
        try:
            answers = [self._stated(*sound_part(one)) for one in among]
        except StageFailed:
            return False
        silent, losses = costs_of(self.loss, slot, answers, self.empty)
        return best_of(among, silent, losses) is among[0]

    def everywhere(self, num_classes: int) -> Iterator[tuple[int, float]]:
        """Give the loss of outputs that say at each row what they say of one object of a class."""
        size = self.loss.batch_size
        for label in range(min(num_classes, MOST_CLASSES)):
            one = next(o for o in (*self.own, *self.others) if bool(o.sound.any()))
            stated = self._stated(one.boxes_xyxy[one.sound][:1], torch.tensor([label]))
            pairs = map_tensors(self.loss.joined([stated] * size), torch.clone)
            nothing = self.loss.joined([self.empty] * size)
            if _least_rows(nothing) >= LEAST_ROWS:  # queries without an object weigh little
                with torch.no_grad():
                    yield label, float(self.loss(_spread(pairs, nothing)))


def _least_rows(outputs: object) -> int:
    """Give the number of rows of the output that has fewest, each with all its channels."""
    maps = [t for _, t in tensors_in(outputs) if t.ndim >= ROW_AXES]
    return min((t[0].numel() // min(t.shape[1:]) for t in maps), default=0)


def _spread(stated: object, nothing: object) -> object:
    """Let every row say what the row says that changes most, channel by channel."""

    def spread(said: Tensor, empty: Tensor) -> Tensor:
        if said.ndim < ROW_AXES:
            return said
        axis = min(range(1, said.ndim), key=lambda a: said.shape[a])
        rows = said.movedim(axis, -1).flatten(0, -2)
        change = rows - empty.movedim(axis, -1).flatten(0, -2)
        most = change.abs().argmax(0)
        shape = [-1 if a == axis else 1 for a in range(said.ndim)]
        return rows.gather(0, most[None])[0].reshape(shape).expand_as(said).clone()

    return mixed(spread, stated, nothing)


def _readings(pipeline: DetectionPipeline) -> Iterator[tuple[str, Read]]:
    yield "with the class before theirs", _of_classes(pipeline.num_classes, -1)
    yield "with the class after theirs", _of_classes(pipeline.num_classes, 1)
    yield "with corners read as centre and size", _of_boxes(lambda a, b: (a - b / 2, a + b / 2))
    yield "with centre and size read as corners", _of_boxes(lambda a, b: ((a + b) / 2, b - a))
    yield "with corner and size read as two corners", _of_boxes(lambda a, b: (a, b - a))
    yield "with two corners read as corner and size", _of_boxes(lambda a, b: (a, a + b))
    yield "with x and y exchanged", _of_boxes(lambda a, b: (a.flip(1), b.flip(1)))
    yield "mirrored from left to right", lambda one: Turn(axes=(-1,)).of_sample(one, (1, 1))
    yield "turned upside down", lambda one: Turn(axes=(-2,)).of_sample(one, (1, 1))


def _of_classes(num_classes: int, step: int) -> Read:
    return lambda one: replace(one, labels=(one.labels + step) % max(num_classes, 1))


def _of_boxes(read: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Read:
    def changed(one: Labelled) -> Labelled:
        low, high = read(one.boxes_xyxy[:, :2], one.boxes_xyxy[:, 2:])
        is_box = (high > low).all(1)
        return replace(one, boxes_xyxy=torch.cat([low, high], 1), sound=one.sound & is_box)

    return changed
