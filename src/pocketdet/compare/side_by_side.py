"""Trials on several devices, one process for each."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
import sys

from pocketdet.data.progress import Progress
from pocketdet.train.events import Event, Started, StepDone
from pocketdet.trial import Trial, TrialData, TrialResult, run_trial


@dataclass(frozen=True)
class Job:
    """One trial and the folder of all of them."""

    trial: Trial
    folder: Path


def run_jobs(
    jobs: Sequence[Job],
    data: TrialData,
    devices: Sequence[str],
    progress: Progress,
    *,
    done: int = 0,
    total: int = 0,
) -> list[TrialResult]:
    """Run all jobs, in their order on one device; `done` of `total` trainings came before."""
    if len(devices) == 1:
        return [
            run_trial(
                job.trial,
                folder=job.folder,
                data=data,
                device=devices[0],
                watch=_Told(progress, done + place, total),
            )
            for place, job in enumerate(jobs)
        ]
    return _run_side_by_side(jobs, devices, progress, done=done, total=total)


class _Told:
    """Turns the steps of one training into progress of all of them, in thousandths."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self._progress, self._done, self._total = progress, done, total
        self._steps = 1

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._steps = max(1, event.num_epochs * event.steps_per_epoch)
            case StepDone():
                share = min(1.0, (event.step + 1) / self._steps)
                part = round(1000 * (self._done + share))
                self._progress("comparing", part, 1000 * self._total)
            case _:
                pass


def _run_side_by_side(
    jobs: Sequence[Job], devices: Sequence[str], progress: Progress, *, done: int, total: int
) -> list[TrialResult]:
    context = get_context("spawn")
    free: Queue[str] = context.Manager().Queue()
    for device in devices:
        free.put(device)
    with ProcessPoolExecutor(len(devices), mp_context=context) as pool:
        futures = [pool.submit(_run_on_a_free_device, job, free, sys.path) for job in jobs]
        for number, future in enumerate(as_completed(futures), start=1):
            future.result()
            progress("comparing", 1000 * (done + number), 1000 * total)
        return [future.result() for future in futures]


def _run_on_a_free_device(job: Job, free: "Queue[str]", path: list[str]) -> TrialResult:
    sys.path[:] = path  # Where the user's own parts were found.
    device = free.get()
    try:
        return run_trial(job.trial, folder=job.folder, device=device)
    finally:
        free.put(device)
