"""Judges of networks that are not ours: the doctor, and a short training on the user's own loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import nn

from pocketdet.bisect.doctor_judge import judged_by_errors
from pocketdet.bisect.module_space import Ends, Hybrid
from pocketdet.bisect.signals import EVALUATION, TRAINING
from pocketdet.bisect.verdict import Judgement
from pocketdet.doctor import Finding, Severity, examine
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.trial import TrialResult
from pocketdet.trial.unmoved import unmoved_weights

Loss = Callable[[nn.Module, Any], torch.Tensor]
BUDGET_S = 60.0
LEARNING_RATE = 1e-3


class ModuleDoctorJudge:
    """Faulty is what the doctor calls an error, unless the healthy end has the same one."""

    def __init__(self, ends: Ends, *, loss: Loss | None = None) -> None:
        self._ends, self._loss = ends, loss
        self._known: set[tuple[str, str]] | None = None

    def open(self, faulty_end: Hybrid, *, known: Judgement | None = None) -> Judgement:
        return known or self(faulty_end)

    def __call__(self, subject: Hybrid) -> Judgement:
        return judged_by_errors(self.errors(subject))

    def errors(self, subject: Hybrid) -> list[Finding]:
        """Examine a hybrid; what the healthy end has too is left out."""
        if self._known is None:
            healthy = Hybrid(names=frozenset(), ends=self._ends)
            self._known = {(f.check, f.where) for f in self._examined(healthy)}
        return [f for f in self._examined(subject) if (f.check, f.where) not in self._known]

    def _examined(self, subject: Hybrid) -> list[Finding]:
        report = examine(
            subject.build(0), self._ends.inputs, training_loss=self._loss, budget_s=BUDGET_S
        )
        return [finding for finding in report.findings if finding.severity is Severity.ERROR]


@dataclass(kw_only=True, eq=False)
class ModuleTrainer:
    """Trains hybrids by Adam on the user's loss of the inputs, learnt by heart; seeds are starts.

    A training goes on where a shorter one ended.
    """

    ends: Ends
    loss: Loss
    _running: dict[tuple[frozenset[str], int], "_Training"] = field(default_factory=dict[Any, Any])

    @property
    def at_once(self) -> int:
        return 1

    def __call__(self, trainings: Sequence[tuple[Hybrid, int]], *, steps: int) -> list[TrialResult]:
        return [self._training(config, seed).result(steps) for config, seed in trainings]

    def _training(self, config: Hybrid, seed: int) -> "_Training":
        key = (config.names, seed)
        if key not in self._running:
            self._running[key] = _Training(config, seed, self.loss)
        return self._running[key]

    def signals(self, one: Hybrid, other: Hybrid) -> Sequence[str]:
        return (TRAINING, EVALUATION)


class _Training:
    def __init__(self, config: Hybrid, seed: int, loss: Loss) -> None:
        self._model, self._start = config.build(seed).train(), config.build(seed)
        self._loss, self._inputs = loss, config.ends.inputs
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=LEARNING_RATE)
        self._losses: list[float] = []
        self._results: dict[int, TrialResult] = {}

    def result(self, steps: int) -> TrialResult:
        if steps not in self._results:
            while len(self._losses) < steps and all(map(isfinite, self._losses[-1:])):
                self._step()
            self._results[steps] = self._ended(steps)
        return self._results[steps]

    def _step(self) -> None:
        self._optimizer.zero_grad()
        value = self._loss(self._model, self._inputs)
        value.backward()
        self._optimizer.step()
        self._losses.append(value.item())

    def _ended(self, steps: int) -> TrialResult:
        rows = tuple(
            {"step": float(number), "loss": value}
            for number, value in enumerate(self._losses[:steps], start=1)
        )
        is_sound = all(map(isfinite, self._losses))
        with torch.no_grad(), evaluation_mode(self._model):
            held_out = float(self._loss(self._model, self._inputs))
        return TrialResult(
            outcome="trained" if is_sound else "diverged",
            reason="" if is_sound else f"the loss of step {len(self._losses)} is not finite.",
            num_steps=len(rows),
            history=rows,
            figures={"ap": float("nan"), "ap50": float("nan")},
            class_ap={},
            class_ap50={},
            held_out_loss=held_out if is_sound and isfinite(held_out) else float("inf"),
            seconds=0.0,
            device="cpu",
            detections=(),
            unmoved=unmoved_weights(self._model, self._start),
        )
