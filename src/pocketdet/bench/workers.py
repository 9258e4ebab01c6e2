"""Candidates in processes of their own, called in turns."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
import json
import os
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any

from pocketdet.bench.machine import Watch
from pocketdet.bench.rates import Rates
from pocketdet.bench.timing import Timing
from pocketdet.bench.worker import WorkerTask
from pocketdet.data.progress import Progress, silent

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
WARM_UP_ROUNDS = 1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One candidate's figures; `error` says why there are none.

    `bytes_peak` is the most that its process held; `bytes_before` what it held before it loaded
    the runtime and the file, so that the difference is what they need.
    """

    timing: Timing | None = None
    bytes_peak: int = 0
    bytes_before: int = 0
    preempted: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How often is measured: `rounds` turns, in each of which every candidate makes `calls`."""

    rounds: int = 15
    calls: int = 3

    def __post_init__(self) -> None:
        for name, least in (("rounds", 2), ("calls", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")


def measure(
    tasks: Sequence[WorkerTask], plan: Rounds, *, progress: Progress = silent
) -> tuple[list[Measured], float | None]:
    """Time all tasks in turns; also gives the cores that other processes kept busy meanwhile.

    Every task has its own process, which is stopped while it is not its turn: threads that wait
    for work by spinning take nothing from the others. Every second round goes backwards, so
    that what a machine does slowly (heat, clock) meets all alike.
    """
    with ExitStack() as stack:
        workers: list[Worker] = []
        for place, task in enumerate(tasks):
            progress("loading", place, len(tasks))
            workers.append(stack.enter_context(Worker(task)))
        progress("loading", len(tasks), len(tasks))
        others = _go_round(workers, plan, progress)
        return [worker.measured() for worker in workers], others


def _go_round(workers: "list[Worker]", plan: Rounds, progress: Progress) -> float | None:
    watch, used = Watch(), 0.0
    for number in range(-WARM_UP_ROUNDS, plan.rounds):
        progress("rounds", max(number, 0), plan.rounds)
        for worker in workers[:: 1 if number % 2 else -1]:
            used += worker.turn(plan.calls, counts=number >= 0)
    progress("rounds", plan.rounds, plan.rounds)
    return watch.others_cores(used)


def measure_rates_apart(num_threads: int) -> Rates:
    """Measure this CPU's best rates in a process of its own, on so many threads."""
    done = subprocess.run(
        [sys.executable, "-m", "pocketdet.bench.rates", str(num_threads)],
        env=_environment(num_threads),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"measuring the CPU's rates failed: {done.stderr.strip()[-400:]}")
    return Rates.from_data(json.loads(done.stdout))


@dataclass(eq=False)
class Worker:
    """A process with one candidate; stopped, but for its turns."""

    task: WorkerTask
    seconds: list[float] = field(default_factory=list)
    preempted: int = 0
    error: str = ""

    def __enter__(self) -> "Worker":
        self.said = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pocketdet.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=_environment(self.task.threads),
        )
        answer = self._ask(json.dumps(self.task.to_data()))
        self.error = answer.get("error", "")
        self.bytes_before = int(answer.get("bytes_before", 0))
        self.bytes_peak = int(answer.get("bytes_peak", 0))
        self._pause()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def turn(self, num_calls: int, *, counts: bool) -> float:
        """Make so many calls; gives the processor time that they took."""
        if self.error:
            return 0.0
        self._go_on()
        answer = self._ask(str(num_calls))
        self._pause()
        if "error" in answer:
            self.error = answer["error"]
            return 0.0
        if counts:
            self.seconds += answer["seconds"]
            self.preempted += answer["preempted"]
        self.bytes_peak = answer["bytes_peak"]
        return float(answer["processor_seconds"])

    def measured(self) -> Measured:
        """Sum up all turns."""
        if self.error:
            return Measured(error=self.error)
        return Measured(
            timing=Timing.of(self.seconds),
            bytes_peak=self.bytes_peak,
            bytes_before=self.bytes_before,
            preempted=self.preempted,
        )

    def _ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": self._last_words()}
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else {"error": self._last_words()}

    def _last_words(self) -> str:
        self.process.communicate()
        self.said.seek(0)
        lines = [line for line in self.said.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"its process ended with {self.process.returncode}"

    def _pause(self) -> None:
        if sys.platform != "win32" and self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)

    def _go_on(self) -> None:
        if sys.platform != "win32" and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)


def _environment(num_threads: int) -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(num_threads))}
