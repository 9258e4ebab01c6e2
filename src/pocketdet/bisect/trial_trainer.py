"""Trials as a judge wants them: paired with the healthy end, cached, and known by their curves."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pocketdet.bisect.training_judge import FIRST_STEPS
from pocketdet.data.augment.settings import LIGHT_AUGMENT
from pocketdet.model import DetectorConfig, build
from pocketdet.train.settings import TrainSettings
from pocketdet.training_data import DataSource
from pocketdet.trial import Steps, Trial, TrialData, TrialResult, run_trial

NUM_TRAIN, NUM_VAL = 800, 128

JUDGE_SETTINGS = TrainSettings(
    batch_size=8,
    learning_rate=0.05,
    ema_decay=0.97,
    num_workers=0,
    augmentation=replace(LIGHT_AUGMENT, expand_probability=0.0),
)
"""For from 40 to some hundreds of steps: a short average, mild augmentation."""


@dataclass(kw_only=True, eq=False)
class TrialTrainer:
    """Trains by `run_trial`; equal modules start from the healthy end's weights of that seed.

    `trained` keeps the longest result of each config and seed, for the curves.
    """

    healthy: DetectorConfig
    source: DataSource
    data: TrialData
    folder: Path
    settings: TrainSettings = JUDGE_SETTINGS
    device: str = "auto"
    num_train: int = NUM_TRAIN
    num_val: int = NUM_VAL

    def __call__(self, config: DetectorConfig, *, seed: int, steps: int) -> TrialResult:
        trial = Trial(
            config=config,
            source=self.source,
            settings=replace(self.settings, seed=seed),
            steps=Steps(total=steps, warmup=FIRST_STEPS // 4),
            num_train=min(self.num_train, len(self.data.data.train)),
            num_val=min(self.num_val, len(self.data.data.val)),
            like=(self.healthy,),
        )
        threads = torch.get_num_threads()
        try:
            return run_trial(trial, folder=self.folder, data=self.data, device=self.device)
        finally:
            torch.set_num_threads(threads)

    def have_equal_losses(self, one: DetectorConfig, other: DetectorConfig) -> bool:
        first, second = (build(config, classes=self.data.data.classes) for config in (one, other))
        places = (first.places_cxcywh, second.places_cxcywh)
        return first.box_coder == second.box_coder and torch.equal(*places)
