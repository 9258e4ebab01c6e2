"""What it saves to keep freed memory in the process: training steps with and without.

    python benchmarks/freed_memory.py                      # PELEE_SMALL, batch 8
    python benchmarks/freed_memory.py --recipe PELEE_TINY --batch-size 16 --write

Each turn is a process of its own, because the setting cannot be taken back; turns alternate.
The 10th percentile of a step's seconds says what a quiet machine does, the processor's seconds
what the work costs on any.
"""

import argparse
from datetime import date
import os
from pathlib import Path
import platform
import resource
from statistics import median
import subprocess
import sys
import time

import numpy as np
import torch

from pocketdet import recipes
from pocketdet.conventions import Sample
from pocketdet.data.loading.batch import Batch, collate
from pocketdet.model import build
from pocketdet.train.distributed import World
from pocketdet.train.freed_memory import keep_freed_memory
from pocketdet.train.plan import TrainPlan
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import begin
from pocketdet.train.step import Stepper

SETTLING_STEPS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description="Training steps with freed memory kept or not.")
    parser.add_argument("--recipe", default="PELEE_SMALL", choices=sorted(recipes.names()))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="keep the table, dated")
    parser.add_argument("--turn", choices=["kept", "given back"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(*turn(options))
        return
    lines = table(options)
    print("\n".join(lines))
    if options.write:
        path = Path(__file__).parent / "results" / f"freed_memory-{date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(options: argparse.Namespace) -> list[str]:
    figures: dict[str, list[list[float]]] = {"given back": [], "kept": []}
    for _ in range(options.turns):
        for name, rows in figures.items():
            command = [sys.executable, *sys.argv, "--turn", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append([float(figure) for figure in done.stdout.split()])
    lines = [
        f"# Freed memory, {date.today()}",
        "",
        f"{options.recipe}, batch {options.batch_size}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {' '.join(platform.libc_ver())}; medians of {options.turns} "
        f"processes of {options.steps} steps, in turns.",
        "",
        "| freed memory is | step, 10th percentile, ms | processor ms a step | page faults a step "
        "| peak MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in figures.items():
        fast, cpu, faults, peak = (median(column) for column in zip(*rows, strict=True))
        lines.append(f"| {name} | {fast:.1f} | {cpu:.1f} | {faults:.0f} | {peak:.0f} |")
    return lines


def turn(options: argparse.Namespace) -> tuple[float, float, float, float]:
    if options.turn == "kept" and not keep_freed_memory():
        raise SystemExit("this C library has no such setting")
    config = recipes.names()[options.recipe]
    batch = one_batch(options.batch_size, config.input.height, config.input.width)
    settings = TrainSettings(batch_size=options.batch_size, learning_rate=1e-4)
    world = World(device=torch.device("cpu"))
    state = begin(build(config, num_classes=2), settings, world)
    stepper = Stepper(state, TrainPlan(settings=settings, batches=[batch], world=world))
    for _ in range(SETTLING_STEPS):
        stepper([batch])
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds = [timed(stepper, batch) for _ in range(options.steps)]
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        float(np.quantile(seconds, 0.1)) * 1e3,
        cpu / options.steps * 1e3,
        (after.ru_minflt - before.ru_minflt) / options.steps,
        after.ru_maxrss / 1024,
    )


def timed(stepper: Stepper, batch: Batch) -> float:
    start = time.perf_counter()
    stepper([batch])
    return time.perf_counter() - start


def one_batch(size: int, height: int, width: int) -> Batch:
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (size, 3, height, width), dtype=np.uint8))
    box, label = [[20.0, 20.0, 90.0, 80.0]], [0]
    samples = [
        Sample.of(picture, box, label, image_id=str(number))
        for number, picture in enumerate(pictures)
    ]
    return collate(samples, range(size))


if __name__ == "__main__":
    main()
