"""The training loop."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from pocketdet.data.loading.batch import Batch
from pocketdet.data.loading.prefetch import prefetched
from pocketdet.train.early_stopping import has_stopped_improving
from pocketdet.train.events import Ended, EpochDone, EvaluationStarted, Started, StepDone
from pocketdet.train.freed_memory import keep_freed_memory
from pocketdet.train.plan import TrainPlan
from pocketdet.train.state import TrainState
from pocketdet.train.step import Stepper
from pocketdet.train.time_limit import TimeLimit


def train(state: TrainState, plan: TrainPlan) -> str:
    """Train from where `state` is to the end of the plan; gives why it ended.

    The state is changed in place. After each epoch it is evaluated if that is due, and saved,
    by the first process; the others wait. Raises `NonFiniteLoss` when a loss is no number.
    """
    settings, world = plan.settings, plan.world
    if world.device.type == "cpu":
        keep_freed_memory()
    stepper = Stepper(state, plan)
    limit = TimeLimit(settings.max_minutes)
    reason = reason_to_end(state, plan)
    if world.is_main:
        if state.epoch == 0:
            plan.save(state)
        plan.watch(
            Started(
                num_epochs=settings.epochs,
                epochs_done=state.epoch,
                steps_per_epoch=plan.steps_per_epoch,
                history=state.history,
            )
        )
    while not reason:
        limit.epoch_begins()
        row = train_epoch(state, plan, stepper)
        row["seconds"] = limit.training_ends()
        is_late = limit.forbids_another_epoch()
        state.epoch += 1
        if world.is_main:
            row |= evaluate_if_due(state, plan, is_last=is_late)
        row, is_late = world.tell_all((row, is_late))
        state.history.append(row)
        if world.is_main:
            plan.save(state)
            plan.watch(EpochDone(row=row, history=state.history))
        limit.epoch_ends()
        reason = reason_to_end(state, plan) or ("the time is up" if is_late else "")
    if world.is_main:
        plan.watch(Ended(reason=reason, history=state.history))
    return reason


def reason_to_end(state: TrainState, plan: TrainPlan) -> str:
    """Say why nothing is left to do, or nothing if something is."""
    settings = plan.settings
    if state.epoch >= settings.epochs:
        return f"all {settings.epochs} epochs are done"
    if has_stopped_improving(state.history, patience=settings.patience):
        return f"the last {settings.patience} evaluations were no better"
    return ""


def train_epoch(state: TrainState, plan: TrainPlan, stepper: Stepper) -> dict[str, float]:
    """Go once through the batches; gives the epoch's row of figures, mean losses among them."""
    world = plan.world
    seed_epoch(plan.settings.seed, epoch=state.epoch, rank=world.rank)
    state.detector.train()
    steps: list[StepDone] = []
    batches = prefetched(plan.batches.epoch(state.epoch), world.device)
    for group in in_groups(batches, plan.settings.accumulate):
        done = stepper(group)
        steps.append(done)
        if world.is_main:
            plan.watch(done)
    row: dict[str, float] = {"epoch": state.epoch + 1, "step": state.step}
    row["learning_rate"] = steps[-1].learning_rate
    for name in steps[0].losses:
        row[name] = sum(step.losses[name] for step in steps) / len(steps)
    row["loss"] = sum(row[name] for name in steps[0].losses)
    row["gradient_norm"] = sum(step.gradient_norm for step in steps) / len(steps)
    return row


def evaluate_if_due(state: TrainState, plan: TrainPlan, *, is_last: bool) -> dict[str, float]:
    """Evaluate after every so many epochs, and after the last one in any case."""
    settings = plan.settings
    is_last = is_last or state.epoch == settings.epochs
    if plan.evaluate is None or not (is_last or state.epoch % settings.evaluate_every == 0):
        return {}
    plan.watch(EvaluationStarted(epoch=state.epoch - 1))
    detector = state.detector_to_use.eval()
    return {name: float(value) for name, value in plan.evaluate(detector).items()}


def seed_epoch(seed: int, *, epoch: int, rank: int) -> None:
    """Make what an epoch draws (dropout) depend on nothing that happened before it."""
    mixed = np.random.SeedSequence((seed, epoch, rank)).generate_state(1, np.uint64)
    torch.manual_seed(int(mixed[0]))


def in_groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Take so many batches at a time; the last group may be smaller."""
    remaining = iter(batches)
    while group := list(islice(remaining, size)):
        yield group
