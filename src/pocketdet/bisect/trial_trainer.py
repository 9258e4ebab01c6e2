"""Trials as a judge wants them: paired with the healthy end, cached, and known by their curves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pocketdet.bisect.signals import SCORE, TRAINING
from pocketdet.bisect.training_judge import FIRST_STEPS
from pocketdet.data.augment.settings import NO_AUGMENT
from pocketdet.model import DetectorConfig, build
from pocketdet.runs.data import DataSource
from pocketdet.train.settings import TrainSettings
from pocketdet.trial import Job, SideBySide, Steps, Trial, TrialResult

NUM_TRAIN, NUM_VAL = 64, 128
SETTLE_ON = 64
"""Few pictures, seen again and again: learning them by heart sets networks apart long before AP on
new ones does (LOG.md)."""

JUDGE_SETTINGS = TrainSettings(
    batch_size=8,
    learning_rate=0.05,
    ema_decay=0.97,
    num_workers=0,
    cache=True,
    augmentation=NO_AUGMENT,
)
"""For from 40 to some hundreds of steps: a short average, and the same pictures each time."""


@dataclass(kw_only=True, eq=False)
class TrialTrainer:
    """Trains by `run_trial`; equal modules start from the healthy end's weights of that seed."""

    healthy: DetectorConfig
    source: DataSource
    machines: SideBySide
    folder: Path
    settings: TrainSettings = JUDGE_SETTINGS
    num_train: int = NUM_TRAIN
    num_val: int = NUM_VAL

    @property
    def at_once(self) -> int:
        return self.machines.at_once

    def __call__(
        self, trainings: Sequence[tuple[DetectorConfig, int]], *, steps: int
    ) -> list[TrialResult]:
        jobs = [Job(self._trial(config, seed, steps), self.folder) for config, seed in trainings]
        return self.machines.run(jobs)

    def signals(self, one: DetectorConfig, other: DetectorConfig) -> Sequence[str]:
        """Name the loss only where both have the same priors and box coder.

        The loss on new pictures is none: what learns by heart fastest is soon the worst in it.
        """
        classes = self.machines.data.data.classes
        first, second = (build(config, classes=classes) for config in (one, other))
        places = (first.places_cxcywh, second.places_cxcywh)
        have_equal_losses = first.box_coder == second.box_coder and torch.equal(*places)
        return (TRAINING, SCORE) if have_equal_losses else (SCORE,)

    def _trial(self, config: DetectorConfig, seed: int, steps: int) -> Trial:
        data = self.machines.data.data
        return Trial(
            config=config,
            source=self.source,
            settings=replace(self.settings, seed=seed),
            steps=Steps(total=steps, warmup=FIRST_STEPS // 4, settle_on=SETTLE_ON),
            num_train=min(self.num_train, len(data.train)),
            num_val=min(self.num_val, len(data.val)),
            like=(self.healthy,),
        )
