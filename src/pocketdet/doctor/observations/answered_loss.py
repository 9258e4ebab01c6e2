"""The training loss of outputs that the doctor makes up, in place of the network's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.missing import Missing, NotObservable
from pocketdet.doctor.nested import map_tensors, tensors_in, with_tensors
from pocketdet.doctor.observations.labelled import Labelled, read_sample
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.trace import Call, Trace, record
from pocketdet.doctor.turns import Turn, turn_between

NUM_IMAGES = 3  # of the samples, where they can be had
SAME = 1e-6  # relative difference of two values of one loss


@dataclass(frozen=True, kw_only=True, eq=False)
class AnsweredLoss:
    """A loss as a function of outputs alone.

    - `inputs`: the images that it is called with, which nothing looks at;
    - `own`: the network's own outputs for them, in training mode, detached;
    - `first`: the samples whose images they are, in their order; empty where they are not; of
      images that the loss turns before it shows them, the samples turned alike;
    - `num_given`: images that the doctor was given, for which the loss must have targets;
    - `is_drawn`: whether the loss draws random numbers, such as which negatives count.
    """

    training_loss: TrainingLoss
    stand_in: nn.Module
    inputs: Any
    own: Any
    first: tuple[Labelled, ...]
    num_given: int
    is_drawn: bool = False
    seed: int = 0
    shown: list[Turn] = field(default_factory=list[Turn])

    @property
    def batch_size(self) -> int:
        return Call(self.inputs).batch_size

    def __call__(self, outputs: Any) -> Tensor:
        """Give the loss of outputs, which gradients may follow.

        Raises `NotObservable` where the loss does not ask the model for the outputs of these
        images, once or image by image, or fails on what it is told.
        """
        asked = 0

        def answer(*args: Any, **kwargs: Any) -> Any:
            nonlocal asked
            asked += 1
            return self._answer(outputs, [args, kwargs])

        self.shown.clear()
        self.stand_in.forward = answer
        torch.manual_seed(self.seed)
        try:
            loss = self.training_loss(self.stand_in, map_tensors(self.inputs, torch.clone))
        except NotObservable:
            raise
        except Exception as error:  # The user's own code may raise anything.
            words = f"the loss of outputs that are made up raised {type(error).__name__}"
            raise NotObservable(words) from error
        if not asked:
            raise NotObservable("the loss does not run the model as a whole")
        return loss

    def _answer(self, outputs: Any, given: Any) -> Any:
        """Give the outputs of the images that the loss asks for."""
        known = [t for _, t in tensors_in(self.inputs)]
        asked = [t for _, t in tensors_in(given)]
        if not asked or asked[0].shape[1:] != known[0].shape[1:]:
            raise NotObservable("the loss shows the model other images")
        if torch.equal(asked[0], known[0]):
            return outputs
        same = [(known[0] == one).flatten(1).all(1).nonzero()[:, 0] for one in asked[0]]
        if not all(len(rows) for rows in same):
            self.shown.extend(_turns(known[0], asked[0]))
            return outputs
        rows = torch.stack([found[0] for found in same])
        size = self.batch_size
        return map_tensors(outputs, lambda t: t[rows] if t.ndim and len(t) == size else t)

    def of_batch(self, size: int) -> "AnsweredLoss":
        """Give the same loss of so many images, and the network's outputs repeated for them."""
        before = self.batch_size
        rows = torch.arange(size) % before

        def repeated(tensor: Tensor) -> Tensor:
            return tensor[rows] if tensor.ndim and len(tensor) == before else tensor

        return replace(
            self,
            inputs=Call(self.inputs).of_batch(size).given,
            own=map_tensors(self.own, repeated),
            first=(),
        )

    def recorded(self, outputs: Any) -> Trace:
        """Record the loss of outputs, which are the inputs of the trace."""
        given = map_tensors(outputs, torch.clone)
        with torch.no_grad():
            return record(self.stand_in, lambda: self(given), given=given)

    def joined(self, singles: Sequence[Any]) -> Any:
        """Join outputs of one image each, as `perfect` gives them, to outputs like the network's.

        Outputs that `perfect` does not state, such as those of auxiliary heads, stay the network's
        own. Raises `NotObservable` where what it states is not of the same form.
        """
        parts = [dict(tensors_in(one)) for one in singles]
        if not any(path in part for path, _ in tensors_in(self.own) for part in parts):
            raise NotObservable("`perfect` gives no outputs of the form of the network's")
        made: list[Tensor] = []
        for path, own in tensors_in(self.own):
            each = [part.get(path) for part in parts]
            if all(e is None for e in each):
                made.append(own.clone())
                continue
            fitting = [e for e in each if e is not None and e.ndim == own.ndim]
            if len(fitting) < len(each):
                raise NotObservable("`perfect` gives no outputs of the form of the network's")
            made.append(_one_of(fitting, own))
        return with_tensors(self.own, made)


def _turns(known: Tensor, asked: Tensor) -> Iterator[Turn]:
    """Give for each image how it was turned; refuse what is something else."""
    for before, now in zip(known, asked, strict=False):
        turn = turn_between(before, now) if known.shape == asked.shape else None
        if turn is None:
            raise NotObservable("the loss shows the model other images")
        yield turn


def _one_of(each: list[Tensor], own: Tensor) -> Tensor:
    is_single = all(e.shape[1:] == own.shape[1:] and len(e) == 1 for e in each if e.ndim)
    if own.ndim and is_single and len(own) == len(each):
        return torch.cat(each).to(own.dtype)
    if all(e.shape == own.shape for e in each):
        return own.clone()  # such as the places of the rows, which are no answer
    raise NotObservable("`perfect` gives no outputs of the form of the network's")


def answered_loss(
    model: nn.Module,
    batch: Call,
    training_loss: TrainingLoss,
    inputs: Any,
    pipeline: DetectionPipeline | None = None,
) -> AnsweredLoss:
    """Let a copy of the model give what it is told to; the samples' images where it takes them."""
    given, first = _images(model, inputs, pipeline) or (batch.given, ())
    patient = copy_of(model).train()
    torch.manual_seed(0)
    with torch.no_grad():
        own = map_tensors(Call(map_tensors(given, torch.clone))(patient), torch.clone)
    found = AnsweredLoss(
        training_loss=training_loss,
        stand_in=patient,
        inputs=given,
        own=own,
        first=first,
        num_given=Call(inputs).batch_size,
    )
    if not any(t.is_floating_point() and t.numel() > 1 for _, t in tensors_in(own)):
        raise NotObservable("the network gives its loss itself, and no outputs")
    with torch.no_grad():
        one, other = float(found(found.own)), float(found(found.own))
        drawn = float(replace(found, seed=1)(found.own))
    if not abs(one - other) <= SAME * max(abs(one), 1e-12):
        raise NotObservable("the loss of the same outputs is another each time, or no number")
    return replace(
        found,
        is_drawn=abs(drawn - one) > SAME * max(abs(one), 1e-12),
        first=_as_shown(found, pipeline),
    )


def _as_shown(found: AnsweredLoss, pipeline: DetectionPipeline | None) -> tuple[Labelled, ...]:
    """Turn samples as the loss turns their images; none where a border moves them besides."""
    if all(turn == Turn() for turn in found.shown) or pipeline is None:
        return found.first
    preprocess = stage(pipeline, "preprocess")
    turned: list[Labelled] = []
    for one, image, turn in zip(found.first, found.inputs, found.shown, strict=False):
        turned.append(turn.of_sample(one, (image.shape[-2], image.shape[-1])))
        same = preprocess(turned[-1].sample.image.clone()).reshape(image.shape).to(image.dtype)
        most = float(image.abs().max())
        if not torch.allclose(same, turn.of_image(image), atol=1e-4 * most):
            return ()
    return tuple(turned)


def _images(
    model: nn.Module, inputs: Any, pipeline: DetectionPipeline | None
) -> tuple[Tensor, tuple[Labelled, ...]] | None:
    """Give the first samples' images as the network takes them, None where they cannot be had."""
    if pipeline is None or not isinstance(inputs, Tensor):
        return None
    try:
        preprocess = stage(pipeline, "preprocess")
        count = min(NUM_IMAGES, max(2, len(inputs)), len(pipeline.samples))
        first = tuple(read_sample(pipeline, number) for number in range(count))
        images = [preprocess(one.sample.image.clone()) for one in first]
    except (NotObservable, Missing, StageFailed):
        return None
    images = [image[None] if image.ndim == inputs.ndim - 1 else image for image in images]
    if not images or len({tuple(i.shape) for i in images}) != 1 or len(images[0]) != 1:
        return None
    joined = torch.cat(images).to(inputs.dtype)
    try:
        with torch.no_grad():
            copy_of(model).train()(joined.clone())
    except Exception:  # A network may refuse images in any way it likes.
        return None
    return joined, first
