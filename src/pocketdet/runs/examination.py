"""The doctor before the first step: a training that cannot become right is not begun."""

from typing import Literal, get_args

import torch

from pocketdet.data.progress import Progress, silent
from pocketdet.doctor import Report, examine
from pocketdet.model import Detector
from pocketdet.runs.data import TrainingData
from pocketdet.runs.own_patient import own_patient
from pocketdet.train.distributed import World
from pocketdet.train.settings import TrainSettings

DoctorMode = Literal["on", "off", "force"]
BUDGET_S = 60.0  # what dearer checks do not reach is said; `pocketdet doctor` has no limit


class UnsoundDetector(Exception):
    """The doctor found errors; `report` is the main process's, None in others."""

    def __init__(self, report: Report | None) -> None:
        super().__init__("The detector is not sound, so training was not begun.")
        self.report = report


def check_mode(mode: str) -> DoctorMode:
    """Read how the doctor is to be asked; raises `ValueError` for another word."""
    for known in get_args(DoctorMode):
        if mode == known:
            return known
    raise ValueError(f"`--doctor` must be on or off; got {mode!r}.")


def examine_before_training(
    detector: Detector,
    data: TrainingData,
    settings: TrainSettings,
    *,
    mode: DoctorMode,
    world: World,
    progress: Progress = silent,
) -> Report | None:
    """Examine a detector with its data in the first process; all of them stop on errors.

    Mode "force" goes on all the same. Raises `UnsoundDetector`.
    """
    if mode == "off":
        return None
    report: Report | None = None
    if world.is_main:
        samples = [sample for sample in data.train if len(sample.labels)]
        patient = own_patient(detector, samples=samples, traits=data.traits, settings=settings)
        threads = torch.get_num_threads()
        report = examine(**patient.arguments(), budget_s=BUDGET_S, progress=progress)
        torch.set_num_threads(threads)
    is_sound = world.tell_all(report.ok if report is not None else None)
    if not is_sound and mode == "on":
        raise UnsoundDetector(report)
    return report
