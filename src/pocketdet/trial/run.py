"""Run a trial, go on with one, or read what came of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from time import monotonic

import torch

from pocketdet.conventions import Detections
from pocketdet.data.progress import Progress, silent
from pocketdet.evaluate import RunSettings, evaluate_detections, evaluate_detector
from pocketdet.model import Detector
from pocketdet.model.saved_detector import detector_to_data
from pocketdet.runs.data import TrainingData, training_batches
from pocketdet.runs.training import prepare_device
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.checkpoint import LAST, read_checkpoint, resume, save_checkpoints
from pocketdet.train.distributed import World, resolve_device
from pocketdet.train.events import Watcher, nobody
from pocketdet.train.loop import train
from pocketdet.train.non_finite import NonFiniteLoss
from pocketdet.train.plan import TrainPlan
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import TrainState, begin
from pocketdet.trial.data import TrialData, open_trial_data
from pocketdet.trial.held_out import held_out_loss
from pocketdet.trial.result import TrialResult, figures_of, load_result, save_result
from pocketdet.trial.settled_norms import with_settled_norms
from pocketdet.trial.start import starting_detector
from pocketdet.trial.trial import ROUND, Trial
from pocketdet.trial.unmoved import unmoved_weights

SAVE_EVERY = 5.0
"""Seconds of training that a killed process may lose."""


def run_trial(
    trial: Trial,
    *,
    folder: Path,
    data: TrialData | None = None,
    device: str = "auto",
    progress: Progress = silent,
    watch: Watcher = nobody,
) -> TrialResult:
    """Give a trial's result, from `folder` if it is there, else by training.

    A training that was interrupted goes on where it was last saved and ends with the weights that
    it would have had. One that has had fewer steps goes on behind them. Raises `ValueError` for
    settings that cannot be; a loss that is not finite any more is an outcome.
    """
    data = data or open_trial_data(trial.source, progress=progress)
    place = TrialPlace.of(trial, folder, data, resolve_device(device))
    if place.result.is_file():
        return load_result(place.result)
    place.make(trial)
    prepare_device(place.device)
    running = _Running(trial, place, data.subset(trial.num_train, trial.num_val), progress)
    state, result = running(watch)
    save_result(result, place.result)
    if trial.steps is None:  # Nothing can follow; without its optimizer the file is a third.
        place.keep_only(state.detector_to_use)
    return result


@dataclass(frozen=True, kw_only=True)
class TrialPlace:
    """Where a trial's files lie: `folder / KEY-DATA-DEVICE`.

    `trial.json` says what it is; `last.pt` is the training so far, or the detector when all epochs
    are done; `result-N.npz` what came of N steps, or of all epochs.
    """

    path: Path
    device: torch.device
    result: Path

    @classmethod
    def of(cls, trial: Trial, folder: Path, data: TrialData, device: torch.device) -> "TrialPlace":
        path = folder / f"{trial.key}-{data.fingerprint[:8]}-{device.type}"
        length = "epochs" if trial.steps is None else str(trial.steps.total)
        return cls(path=path, device=device, result=path / f"result-{length}.npz")

    @property
    def last(self) -> Path:
        return self.path / LAST

    def make(self, trial: Trial) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        about = json.dumps({**trial.to_data(), "source": asdict(trial.source)}, indent=1)
        write_atomically(self.path / "trial.json", lambda file: file.write(about.encode()))

    def keep_only(self, detector: Detector) -> None:
        """Write the detector in place of the training."""
        data = detector_to_data(detector)
        write_atomically(self.last, lambda file: torch.save(data, file))


@dataclass(frozen=True)
class _Running:
    trial: Trial
    place: TrialPlace
    data: TrainingData
    progress: Progress

    def __call__(self, watch: Watcher) -> tuple[TrainState, TrialResult]:
        settings = self.trial.loop_settings()
        state = self._state(settings)
        goes_back = state.epoch > settings.epochs
        if goes_back:  # Fewer steps than it has had: trained anew, and what there is stays.
            state = self._fresh(settings)
        save = _nothing if goes_back else _SaveNowAndThen(self.place, settings, self.trial)
        try:
            train(state, self._plan(state, settings, save, watch))
        except NonFiniteLoss as error:
            return state, self._diverged(state, str(error))
        return state, self._evaluated(state)

    def _state(self, settings: TrainSettings) -> TrainState:
        if not self.place.last.is_file():
            return self._fresh(settings)
        saved = read_checkpoint(self.place.last)
        return resume(saved, settings, self._world)

    def _fresh(self, settings: TrainSettings) -> TrainState:
        return begin(self._start(settings), settings, self._world)

    def _start(self, settings: TrainSettings) -> Detector:
        return starting_detector(
            self.trial.config, self.data.classes, seed=settings.seed, like=self.trial.like
        )

    @property
    def _world(self) -> World:
        return World(device=self.place.device)

    def _plan(
        self,
        state: TrainState,
        settings: TrainSettings,
        save: Callable[[TrainState], None],
        watch: Watcher,
    ) -> TrainPlan:
        steps = None if self.trial.steps is None else ROUND * settings.accumulate
        return TrainPlan(
            settings=settings,
            batches=training_batches(
                self.data,
                state.detector.contract,
                settings,
                world=self._world,
                progress=self.progress,
                steps_per_round=steps,
            ),
            world=self._world,
            save=save,
            watch=watch,
            samples=self.data.train,
        )

    def _evaluated(self, state: TrainState) -> TrialResult:
        start = monotonic()
        detector = self._detector_to_evaluate(state)
        evaluation, detections = evaluate_detector(
            detector, self.data.val, RunSettings(), progress=self.progress
        )
        loss = held_out_loss(detector, self.data.val)
        seconds = monotonic() - start
        return TrialResult(
            outcome="trained",
            num_steps=state.step,
            history=tuple(state.history),
            **figures_of(evaluation),
            held_out_loss=loss,
            seconds=seconds + sum(row["seconds"] for row in state.history),
            device=str(self.place.device),
            detections=tuple(detections),
            unmoved=unmoved_weights(state.detector, self._start(self.trial.settings)),
        )

    def _detector_to_evaluate(self, state: TrainState) -> Detector:
        steps = self.trial.steps
        if steps is None or steps.settle_on == 0:
            return state.detector_to_use.eval()
        return with_settled_norms(state.detector_to_use.train(), self.data.train[: steps.settle_on])

    def _diverged(self, state: TrainState, reason: str) -> TrialResult:
        nothing = [Detections.empty() for _ in self.data.val]
        evaluation = evaluate_detections(nothing, self.data.val, self.data.classes)
        return TrialResult(
            outcome="diverged",
            reason=reason,
            num_steps=state.step,
            history=tuple(state.history),
            **figures_of(evaluation),
            held_out_loss=float("inf"),
            seconds=sum(row["seconds"] for row in state.history),
            device=str(self.place.device),
            detections=tuple(nothing),
        )


def _nothing(state: TrainState) -> None:
    """Save nothing."""


class _SaveNowAndThen:
    """Saves the state after an epoch if the last time is long ago, and after the last one."""

    def __init__(self, place: TrialPlace, settings: TrainSettings, trial: Trial) -> None:
        self._place, self._settings, self._trial = place, settings, trial
        self._time = monotonic()

    def __call__(self, state: TrainState) -> None:
        is_last = state.epoch == self._settings.epochs
        if not is_last and monotonic() - self._time < SAVE_EVERY:
            return
        source = asdict(self._trial.source)
        save_checkpoints(self._place.path, state, self._settings, source)
        self._time = monotonic()
