"""What a compression step may use: data, fine-tuning, evaluation, timing, and a folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
import json
from pathlib import Path

import torch
from torch import Tensor

from pocketdet.compress.distill.criterion import (
    DistillWeights,
    Teaching,
    load_teacher,
    taught_by,
)
from pocketdet.compress.figures import count_cost
from pocketdet.compress.fine_tuning import FineTuning, TrainingHooks, run_fine_tuning
from pocketdet.compress.fingerprint import fingerprint
from pocketdet.compress.latency import Latency, measure_latencies
from pocketdet.data.loading.batches import Batch, eval_batches
from pocketdet.data.progress import Progress, silent
from pocketdet.evaluate import evaluate_detector
from pocketdet.model import Detector
from pocketdet.runs.data import TrainingData, training_batches
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.criterion import Criterion, criterion_of
from pocketdet.train.distributed import World
from pocketdet.train.plan import nothing
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import TrainState

SCORES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_100")


@dataclass(frozen=True, kw_only=True, eq=False)
class Workbench:
    """Tools of one step; whatever it keeps lies in `folder`, which is its own.

    - `data`: training and validation samples, with labels of the detector's classes;
    - `settings`: what fine-tuning starts from: those of the run, or the defaults of training;
    - `scores_file`: where evaluations are remembered, for all steps;
    - `runtime`, `threads`: what latency is measured in;
    - `seed`: of everything that a step draws.
    """

    folder: Path
    data: TrainingData
    settings: TrainSettings = field(default_factory=TrainSettings)
    scores_file: Path
    runtime: str = "auto"
    threads: int = 1
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent

    def inside(self, name: str) -> "Workbench":
        """Give the same workbench with a folder of its own, for a step within a step."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)

    def fine_tune(
        self,
        detector: Detector,
        length: FineTuning,
        *,
        name: str,
        criterion: Callable[[Detector], Criterion] = criterion_of,
        after_step: Callable[[TrainState], None] = nothing,
    ) -> Detector:
        """Train a copy of a detector on and give it, in evaluation mode (its moving average).

        `name` is what it is called in this folder and on the progress bar. A fine-tuning that was
        interrupted goes on after its last epoch if it begins with the same weights and settings.
        `criterion` is called with the copy; `after_step` may change weights after each step. With
        0 epochs the detector itself is given.
        """
        if length.epochs == 0:
            return detector
        teaching = Teaching(criterion=criterion, after_step=after_step)
        if length.teacher is None:
            return self._fine_tuned(detector, length, teaching, name=name)
        teacher = load_teacher(length.teacher, detector)
        with taught_by(teacher, DistillWeights(), teaching) as taught:
            return self._fine_tuned(detector, length, taught, name=name)

    def _fine_tuned(
        self, detector: Detector, length: FineTuning, teaching: Teaching, *, name: str
    ) -> Detector:
        settings = length.settings(self.settings, seed=self.seed)
        batches = training_batches(
            self.data,
            detector.contract,
            settings,
            world=World(device=self.device),
            progress=self.progress,
        )
        return run_fine_tuning(
            detector,
            length.limited(batches),
            settings,
            TrainingHooks(
                criterion=teaching.criterion,
                after_step=teaching.after_step,
                progress=self.progress,
            ),
            folder=self.folder / name,
            device=self.device,
        )

    def num_steps(self, detector: Detector, length: FineTuning) -> int:
        """Say how many steps of the optimizer `fine_tune` makes."""
        settings = length.settings(self.settings, seed=self.seed)
        batches = length.limited(
            training_batches(
                self.data,
                detector.contract,
                settings,
                world=World(device=self.device),
                progress=self.progress,
            )
        )
        return settings.epochs * -(-len(batches) // settings.accumulate)

    def evaluate(self, detector: Detector) -> dict[str, float]:
        """Score a detector on the validation split, once for the same weights: `SCORES`."""
        known = self._known_scores()
        key = fingerprint(detector)
        if key not in known:
            evaluation, _ = evaluate_detector(
                detector.to(self.device), self.data.val, progress=self.progress
            )
            known[key] = {name: float(getattr(evaluation, name)) for name in SCORES}
            text = json.dumps(known, indent=1)
            write_atomically(self.scores_file, lambda file: file.write(text.encode()))
        return known[key]

    def _known_scores(self) -> dict[str, dict[str, float]]:
        return json.loads(self.scores_file.read_text()) if self.scores_file.is_file() else {}

    def calibration_batches(
        self, detector: Detector, num_images: int, *, batch_size: int = 16
    ) -> list[Batch]:
        """Give training images with their boxes, fitted to the input and not augmented.

        They are drawn without repetition by `seed`; fewer if there are fewer.
        """
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(self.data.train), generator=generator)[:num_images].tolist()
        chosen = [self.data.train[index] for index in order]
        batches = eval_batches(chosen, detector.contract, batch_size=batch_size)
        return [batch.to(self.device) for batch in batches]

    def calibration_images(self, detector: Detector, num_images: int) -> Tensor:
        """Give (n, 3, H, W) normalised pictures of the training split, as the network reads."""
        batches = self.calibration_batches(detector, num_images)
        return torch.cat([detector.preprocess(batch.images) for batch in batches])

    def latencies(
        self, detectors: Mapping[str, Detector], *, rounds: int = 30
    ) -> dict[str, Latency]:
        """Time several detectors in turn, so that they can be compared."""
        return measure_latencies(
            detectors,
            runtime=self.runtime,
            threads=self.threads,
            rounds=rounds,
            progress=self.progress,
        )

    def latency(self, detector: Detector) -> Latency:
        """Time one detector; ratios need `latencies`."""
        return self.latencies({"detector": detector})["detector"]

    def cost(self, detector: Detector) -> tuple[int, int]:
        """Count parameters and multiply-accumulates at the contract's input size."""
        return count_cost(detector)
