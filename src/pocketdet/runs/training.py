"""A training run from end to end: data, detector, training, evaluation, and the run's folder.

Training and evaluation do not know of each other; here they meet.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
import json
from pathlib import Path
import re
from time import monotonic
from typing import Any

import torch

from pocketdet.config_file import save_config
from pocketdet.data.progress import Progress, silent
from pocketdet.edit.fate_rows import transfer_text
from pocketdet.edit.transfer import TransferPlan, carry_from
from pocketdet.evaluate import RunSettings, evaluate_detector
from pocketdet.model import Detector, DetectorConfig, build
from pocketdet.runs.data import (
    DataSource,
    TrainingData,
    open_training_data,
    resolve_workers,
    training_batches,
)
from pocketdet.runs.examination import DoctorMode, examine_before_training
from pocketdet.train.batch_pictures import BatchPictures
from pocketdet.train.checkpoint import read_checkpoint, resume, save_checkpoints, saved_settings
from pocketdet.train.distributed import World, join_world
from pocketdet.train.early_stopping import best_epoch
from pocketdet.train.events import Prepared, Watcher, all_of, nobody
from pocketdet.train.loop import train
from pocketdet.train.metrics_log import MetricsLog
from pocketdet.train.plan import TrainPlan
from pocketdet.train.run_folder import RunFolder
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_to_data
from pocketdet.train.state import TrainState, begin

FIGURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_100")


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to train, on what, and where the run goes.

    The run is `out / name`; without a name it is numbered: `out / RECIPE-DATA-1`. `doctor` says
    whether the detector is examined before the first step: "on" stops on errors, "force" does not.
    `weights` is a checkpoint or a run's folder: what is the same in its structure is carried over.
    """

    config: DetectorConfig
    source: DataSource
    settings: TrainSettings = field(default_factory=TrainSettings)
    recipe: str = "detector"
    out: Path = Path("runs")
    name: str | None = None
    device: str = "auto"
    doctor: DoctorMode = "off"
    weights: Path | None = None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: `reason` is a part of a sentence; `is_main` is the process that speaks."""

    folder: Path
    reason: str
    history: list[dict[str, float]]
    minutes: float
    is_main: bool

    @property
    def best(self) -> Mapping[str, float]:
        """The figures of the epoch with the highest AP; empty without an evaluation."""
        return best_epoch(self.history)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        best = {name: value for name, value in self.best.items() if value == value}
        return {
            "run": str(self.folder),
            "reason": self.reason,
            "minutes": round(self.minutes, 2),
            "epochs": len(self.history),
            "best": best,
        }


def run_training(
    request: RunRequest, *, progress: Progress = silent, watch: Watcher = nobody
) -> RunResult:
    """Train a new detector; `runs/NAME/` then has all there is to know about it.

    Bad input raises `ValueError`, and a detector that is not sound `UnsoundDetector` where the
    doctor is asked, before the folder is made. What the doctor said is in `doctor.txt`.
    """
    with join_world(request.device) as world:
        progress = progress if world.is_main else silent
        data = open_training_data(request.source, world=world, progress=progress)
        torch.manual_seed(request.settings.seed)
        detector = build(request.config, classes=data.classes)
        plan = None if request.weights is None else carry_from(request.weights, detector)
        report = examine_before_training(
            detector, data, request.settings, mode=request.doctor, world=world, progress=progress
        )
        state = begin(detector, request.settings, world)
        folder = RunFolder(Path(world.tell_all(_new_folder(request) if world.is_main else None)))
        if world.is_main:
            _describe(folder, request, plan)
            if report is not None:
                (folder.path / "doctor.txt").write_text(f"{report}\n", encoding="utf-8")
        run = _Run(folder, request.source, request.settings, world, data, plan)
        return run(state, progress=progress, watch=watch)


def resume_training(
    path: Path,
    *,
    data: str | None = None,
    device: str = "auto",
    max_minutes: float | None = None,
    progress: Progress = silent,
    watch: Watcher = nobody,
) -> RunResult:
    """Go on with a run after its last whole epoch, with its own settings.

    `data` says where the data is now, if it has moved.
    """
    folder = RunFolder(path)
    saved = read_checkpoint(folder.last)
    source = DataSource(**saved["training"]["source"])
    source = replace(source, data=data) if data else source
    settings = replace(saved_settings(saved), max_minutes=max_minutes)
    with join_world(device) as world:
        progress = progress if world.is_main else silent
        state = resume(saved, settings, world)
        ready = open_training_data(
            source, world=world, progress=progress, classes=state.detector.classes
        )
        run = _Run(folder, source, settings, world, ready)
        return run(state, progress=progress, watch=watch)


@dataclass(frozen=True)
class _Run:
    folder: RunFolder
    source: DataSource
    settings: TrainSettings
    world: World
    data: TrainingData
    transfer: TransferPlan | None = None

    def __call__(self, state: TrainState, *, progress: Progress, watch: Watcher) -> RunResult:
        start = monotonic()
        plan = self._plan(state, progress, watch)
        if self.world.is_main:
            plan.watch(self._prepared(state))
        prepare_device(self.world.device)
        try:
            reason = train(state, plan)
        except KeyboardInterrupt as error:
            if self.folder.last.is_file():
                error.add_note(f"`pocketdet train --resume {self.folder.path}` goes on.")
            raise
        return RunResult(
            folder=self.folder.path,
            reason=reason,
            history=state.history,
            minutes=(monotonic() - start) / 60,
            is_main=self.world.is_main,
        )

    def _plan(self, state: TrainState, progress: Progress, watch: Watcher) -> TrainPlan:
        contract = state.detector.contract
        pictures = BatchPictures(self.folder, contract, self.data.classes)
        return TrainPlan(
            settings=self.settings,
            batches=training_batches(
                self.data, contract, self.settings, world=self.world, progress=progress
            ),
            world=self.world,
            evaluate=lambda detector: self._evaluate(detector, progress),
            save=lambda state: save_checkpoints(
                self.folder.path, state, self.settings, asdict(self.source)
            ),
            watch=all_of(MetricsLog(self.folder), pictures, watch),
            samples=self.data.train,
        )

    def _evaluate(self, detector: Detector, progress: Progress) -> dict[str, float]:
        on_gpu = self.world.device.type == "cuda"
        evaluation, _ = evaluate_detector(
            detector,
            self.data.val,
            RunSettings(
                batch_size=max(1, self.settings.batch_size // self.world.size),
                num_workers=resolve_workers(self.settings.num_workers, self.world.device)
                if on_gpu
                else 0,
            ),
            progress=progress,
        )
        return {name: getattr(evaluation, name) for name in FIGURES}

    def _prepared(self, state: TrainState) -> Prepared:
        return Prepared(
            folder=self.folder.path,
            repairs=str(self.data.repairs),
            num_train=len(self.data.train),
            num_val=len(self.data.val),
            num_classes=len(self.data.classes),
            num_parameters=sum(p.numel() for p in state.detector.parameters()),
            device=str(self.world.device),
            transfer="" if self.transfer is None else transfer_text(self.transfer),
        )


def _new_folder(request: RunRequest) -> str:
    if request.name is not None:
        return str(RunFolder.create(request.out, request.name).path)
    data = Path(request.source.data).expanduser().resolve().name
    stem = "-".join(re.sub(r"[^a-z0-9_]+", "-", part.lower()) for part in (request.recipe, data))
    return str(RunFolder.create_numbered(request.out, stem.strip("-")).path)


def _describe(folder: RunFolder, request: RunRequest, plan: TransferPlan | None) -> None:
    save_config(request.config, folder.config)
    folder.write_yaml(folder.settings, settings_to_data(request.settings))
    started_as = {"recipe": request.recipe, **asdict(request.source)}
    if plan is not None:
        started_as |= {"weights": str(request.weights), "share_carried": plan.share}
        transfer = json.dumps(plan.to_data(), indent=2)
        (folder.path / "transfer.json").write_text(transfer, encoding="utf-8")
    folder.write_yaml(folder.path / "run.yaml", started_as)


def prepare_device(device: torch.device) -> None:
    """Let a GPU look for its fastest kernels; a CPU needs nothing."""
    if device.type == "cuda":
        # All batches have one size, so the fastest kernels are looked for once.
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
