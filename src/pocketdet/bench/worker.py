"""One candidate in a process of its own: loaded, then called when asked, its memory its own.

Speaks JSON lines: the first line in is a `WorkerTask`; then each line in is a number of calls, and
each line out says how long every one of them took. Run as `python -m pocketdet.bench.worker`.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import sys
from time import perf_counter, process_time
from typing import Any, TextIO

import numpy as np

from pocketdet.bench.memory import involuntary_switches, peak_bytes


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """What a worker is to load.

    - `way`: `eager` or `folded` for a checkpoint in torch; else a runtime's name, for a file;
    - `path`: the checkpoint or the file; `threads`: for the runtime;
    - `height`, `width`: of the input, in pixels, batch 1.
    """

    way: str
    path: str
    threads: int
    height: int
    width: int

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def main() -> None:
    """Serve until stdin ends."""
    answers = _own_stdout()
    requests = iter(sys.stdin)
    task = WorkerTask(**json.loads(next(requests)))
    before = peak_bytes()
    try:
        call = _load(task)
        call()
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        _say(answers, {"error": f"{error}" or type(error).__name__})
        return
    _say(answers, {"ready": True, "bytes_before": before, "bytes_peak": peak_bytes()})
    for answer in _answers(call, requests):
        _say(answers, answer)


def _answers(call: Callable[[], object], requests: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in requests:
        num_calls = int(line)
        seconds: list[float] = []
        preempted = 0
        used = process_time()
        call()  # others have filled the caches meanwhile
        for _ in range(num_calls):
            switches = involuntary_switches()
            start = perf_counter()
            call()
            seconds.append(perf_counter() - start)
            preempted += involuntary_switches() > switches
        yield {
            "seconds": seconds,
            "preempted": preempted,
            "processor_seconds": process_time() - used,
            "bytes_peak": peak_bytes(),
        }


def _load(task: WorkerTask) -> Callable[[], object]:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (1, 3, task.height, task.width), dtype=np.uint8)
    if task.way in ("eager", "folded"):
        return _torch_call(task, image)
    from pocketdet.bench.file_call import file_call

    return file_call(Path(task.path), task.way, image, threads=task.threads)


def _torch_call(task: WorkerTask, image: Any) -> Callable[[], object]:
    import torch

    from pocketdet.model import Detector
    from pocketdet.model.fold import fold_batch_norm

    torch.set_num_threads(task.threads)
    detector = Detector.load(task.path)
    network: Any = fold_batch_norm(detector) if task.way == "folded" else detector
    network = network.to(memory_format=torch.channels_last)
    inputs = detector.preprocess(torch.from_numpy(image))
    inputs = inputs.contiguous(memory_format=torch.channels_last)

    def call() -> object:
        with torch.inference_mode():
            return network(inputs)

    return call


def _own_stdout() -> TextIO:
    """Keep stdout for answers; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
