"""Trials side by side: one process for each device, or several on one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
import os
from pathlib import Path
import pickle
import signal
import sys
from threading import Thread
from time import monotonic
from typing import Any, Self

import torch

from pocketdet.model.own_code import as_sentence, own_folders
from pocketdet.runs.data import DataSource
from pocketdet.train.events import Event, Started, StepDone
from pocketdet.trial.data import TrialData, open_trial_data
from pocketdet.trial.result import TrialResult
from pocketdet.trial.run import run_trial
from pocketdet.trial.trial import Trial

TELL_EVERY = 0.5
"""Seconds between two words about how far a training is."""

Shares = Callable[[float], None]
"""Is told how many of the trainings are done, fractions included."""


@dataclass(frozen=True)
class Job:
    """One trial and the folder of all of them."""

    trial: Trial
    folder: Path


def nobody_asks(done: float) -> None:
    """Tell nothing."""


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    device: str
    place: int | None = None


@dataclass(kw_only=True, eq=False)
class SideBySide:
    """Runs trials, in this process on a single device, else in one process for each of `devices`.

    The processes start with the first job, are kept for the next ones, and end with the `with`
    block, or with this process, however that ends. On a CPU each has its share of the threads.
    """

    devices: tuple[str, ...]
    data: TrialData
    _workers: list[_Worker] = field(default_factory=list[_Worker])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def at_once(self) -> int:
        """How many trials run at the same time."""
        return len(self.devices)

    def run(self, jobs: Sequence[Job], told: Shares = nobody_asks) -> list[TrialResult]:
        """Give the results of all jobs, in their order; what one raises is raised here."""
        if self.at_once > 1 and len(jobs) > 1:
            self._run_in_workers(jobs, told)
            # What the workers left is read, which is less than to send it.
            told = nobody_asks
        return [
            run_trial(
                job.trial,
                folder=job.folder,
                data=self.data,
                device=self.devices[0],
                watch=_Watch(lambda share, place=place: told(place + share)),
            )
            for place, job in enumerate(jobs)
        ]

    def close(self) -> None:
        """End the processes; a training that one is at can be gone on with."""
        for worker in self._workers:
            worker.process.terminate()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _run_in_workers(self, jobs: Sequence[Job], told: Shares) -> None:
        self._start()
        shares = [0.0] * len(jobs)
        waiting = list(range(len(jobs)))
        for worker in self._workers:
            _give_next(worker, waiting, jobs)
        while busy := {w.pipe: w for w in self._workers if w.place is not None}:
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # pyright: ignore[reportArgumentType]
                assert worker.place is not None
                shares[worker.place] = _heard(worker)
                told(sum(shares))
                if shares[worker.place] == 1.0:
                    _give_next(worker, waiting, jobs)

    def _start(self) -> None:
        if self._workers:
            return
        context = get_context("spawn")
        threads = max(1, torch.get_num_threads() // self.at_once)
        for device in self.devices:
            here, there = context.Pipe()
            process = context.Process(
                target=_work, args=(there, device, list(sys.path), threads), daemon=True
            )
            process.start()
            there.close()
            self._workers.append(_Worker(process, here, device))


def _give_next(worker: _Worker, waiting: list[int], jobs: Sequence[Job]) -> None:
    worker.place = waiting.pop(0) if waiting else None
    if worker.place is not None:
        job = jobs[worker.place]
        folders = own_folders(job.trial.config, *job.trial.like)
        # Parts of the user's own can be unpickled only once their folders are known.
        worker.pipe.send((folders, pickle.dumps(job)))


def _heard(worker: _Worker) -> float:
    """Give the share of its job that a worker says is done."""
    try:
        said = worker.pipe.recv()
    except EOFError:
        worker.process.join()
        raise ChildProcessError(
            f"A training process on {worker.device} ended with code {worker.process.exitcode}, "
            "perhaps for want of memory; the same command goes on."
        ) from None
    if isinstance(said, BaseException):
        raise said
    return float(said)


class _Watch:
    """Turns the steps of a training into the share of it that is done, told now and then."""

    def __init__(self, tell: Callable[[float], Any]) -> None:
        self._tell, self._steps, self._time = tell, 1, 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._steps = max(1, event.num_epochs * event.steps_per_epoch)
            case StepDone() if monotonic() - self._time > TELL_EVERY:
                self._time = monotonic()
                self._tell(min(0.999, (event.step + 1) / self._steps))
            case _:
                pass


def _work(pipe: Connection, device: str, path: list[str], threads: int) -> None:
    """Run jobs until the pipe ends; the parent's Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    sys.path[:] = path
    torch.set_num_threads(threads)
    while True:
        try:
            folders, packed = pipe.recv()
        except EOFError:
            return
        try:
            sys.path += [folder for folder in folders if folder not in sys.path]
            job: Job = pickle.loads(packed)
            data = _opened(job.trial.source)
            watch = _Watch(pipe.send)
            run_trial(job.trial, folder=job.folder, data=data, device=device, watch=watch)
        except Exception as error:  # Raised again in the parent.
            pipe.send(as_sentence(error))
        else:
            pipe.send(1.0)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # Killed: nobody is there to tell.


@lru_cache(maxsize=1)
def _opened(source: DataSource) -> TrialData:
    return open_trial_data(source)
