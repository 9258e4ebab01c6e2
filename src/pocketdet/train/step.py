"""One step of the optimizer: one or several batches, one change of the weights."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pocketdet.data.loading.batch import Batch
from pocketdet.model import RawOutputs
from pocketdet.train.events import BatchSeen, StepDone
from pocketdet.train.loss import LossTerms
from pocketdet.train.non_finite import GRADIENT, bad_terms, blame, images_to_blame
from pocketdet.train.plan import TrainPlan
from pocketdet.train.precision import autocast, resolve_precision
from pocketdet.train.schedule import learning_rate
from pocketdet.train.state import TrainState


class Stepper:
    """Makes the steps of one run.

    The loss of a step is divided by one number for all of its batches, in all processes (with
    priors, that of the matched ones). So `accumulate` batches, or several processes, give the
    gradient of one large batch; only BatchNorm still sees each accumulated batch by itself.
    """

    def __init__(self, state: TrainState, plan: TrainPlan) -> None:
        detector, world = state.detector, plan.world
        self.state, self.plan = state, plan
        self.criterion = plan.criterion(detector)
        self.dtype = resolve_precision(plan.settings.precision, world.device)
        self.model: torch.nn.Module = detector
        if world.size > 1:
            self.model = DistributedDataParallel(detector)

    def __call__(self, batches: Sequence[Batch]) -> StepDone:
        """Go forward, back, and change the weights; raises `NonFiniteLoss` before the last.

        The batches are on the device already.
        """
        state, settings = self.state, self.plan.settings
        rate = learning_rate(settings, state.step, steps_per_epoch=self.plan.steps_per_epoch)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        terms, divisor = self._gradients(batches)
        state.scaler.unscale_(state.optimizer)
        gradient_norm = torch.nn.utils.clip_grad_norm_(
            state.detector.parameters(), settings.clip_norm or float("inf")
        )
        losses, norm = self._figures(terms, divisor, gradient_norm)
        self._refuse_non_finite(losses, norm, terms, batches)
        done = StepDone(
            epoch=state.epoch,
            step=state.step,
            learning_rate=rate,
            losses=losses,
            gradient_norm=norm,
        )
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.optimizer.zero_grad(set_to_none=True)
        if state.average:
            state.average.update(state.detector, num_updates=state.step)
        self.plan.after_step(state)
        state.step += 1
        return done

    def _gradients(self, batches: Sequence[Batch]) -> tuple[list[LossTerms], Tensor]:
        """Add up the gradients of all batches, divided by what the step is divided by.

        That may be known only after the last forward pass; until then its expected value stands
        in, so that no loss leaves the range of half precision, and is taken out again at the end.
        """
        world = self.plan.world
        targets = [self.criterion.targets(batch) for batch in batches]
        parts = [self.criterion.expected_divisor(target) for target in targets]
        expected = world.sum(torch.stack(parts).sum()).clamp(min=1)
        terms: list[LossTerms] = []
        for number, (batch, target) in enumerate(zip(batches, targets, strict=True), start=1):
            with self._synchronised(now=number == len(batches)):
                of_batch = self.criterion(self._forward(batch), target)
                # DDP takes the mean over processes; the sum over all images is wanted.
                loss = of_batch.total() * world.size / expected
                self.state.scaler.scale(loss).backward()
            terms.append(of_batch.detach())
        divisor = world.sum(torch.stack([t.divisor.sum() for t in terms]).sum()).clamp(min=1)
        self._multiply_gradients(expected / divisor)
        return terms, divisor

    def _multiply_gradients(self, factor: Tensor) -> None:
        for parameter in self.state.detector.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(factor)

    def _forward(self, batch: Batch) -> RawOutputs:
        images = self.state.detector.preprocess(batch.images)
        images = images.contiguous(memory_format=self.plan.settings.memory_format)
        if self.plan.world.is_main:
            self.plan.watch(BatchSeen(step=self.state.step, images=images, batch=batch))
        with autocast(self.plan.world.device, self.dtype):
            return self.model(images)

    def _synchronised(self, *, now: bool) -> AbstractContextManager[Any]:
        """Let DDP exchange gradients only in the last batch of a step."""
        if isinstance(self.model, DistributedDataParallel) and not now:
            return self.model.no_sync()
        return nullcontext()

    def _figures(
        self, terms: Sequence[LossTerms], divisor: Tensor, gradient_norm: Tensor
    ) -> tuple[dict[str, float], float]:
        """Fetch the step's loss terms over all processes, and the norm, in one transfer."""
        names = list(terms[0].named())
        sums = torch.stack([sum_of(terms, name) for name in names])
        sums = self.plan.world.sum(sums) / divisor
        *values, norm = torch.cat([sums, gradient_norm.reshape(1)]).tolist()
        return dict(zip(names, values, strict=True)), norm

    def _refuse_non_finite(
        self,
        losses: dict[str, float],
        norm: float,
        terms: Sequence[LossTerms],
        batches: Sequence[Batch],
    ) -> None:
        figures = dict(losses)
        if not self.state.scaler.is_enabled():  # Loss scaling skips infinite gradients itself.
            figures[GRADIENT] = norm
        if bad_terms(figures):
            images = images_to_blame(bad_terms(losses), terms, batches, self.plan.samples)
            raise blame(figures, images, epoch=self.state.epoch, step=self.state.step)


def sum_of(terms: Sequence[LossTerms], name: str) -> Tensor:
    """Add up one term over all images of several batches."""
    return torch.stack([of_batch.named()[name].sum() for of_batch in terms]).sum()
