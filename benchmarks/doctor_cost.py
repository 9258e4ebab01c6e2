"""What an examination costs: seconds, memory, and both beside one forward and backward pass.

    python benchmarks/doctor_cost.py                          # PELEE at 304, without data
    python benchmarks/doctor_cost.py --data BCCD --write      # and with data
    python benchmarks/doctor_cost.py --recipe PELEE_TINY --threads 1

Each case is a process of its own, so that its peak of memory is its own. The pass that costs are
counted in is one of the training loss with the batch of two that the doctor is given, forward and
back, the median of five.
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

import torch

from pocketdet import recipes
from pocketdet.data.open import open_dataset
from pocketdet.data.repair import repair_dataset
from pocketdet.doctor import ALL_CHECKS, examine
from pocketdet.model import build
from pocketdet.runs.own_patient import NUM_SAMPLES, OwnPatient, own_patient

NUM_CLASSES = 20
SLOWEST = 5


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and memory of an examination.")
    parser.add_argument("--recipe", default="PELEE", choices=sorted(recipes.names()))
    parser.add_argument("--data", help="a data set, for a second case with the data's way")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="keep the table, dated")
    parser.add_argument("--case", choices=["without data", "with data"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.case:
        print(case(options))
        return
    lines = table(options)
    print("\n".join(lines))
    if options.write:
        path = Path(__file__).parent / "results" / f"doctor_cost-{date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(options: argparse.Namespace) -> list[str]:
    lines = [
        f"# An examination's cost, {date.today()}",
        "",
        f"{options.recipe}, {len(ALL_CHECKS)} checks, {options.threads} threads, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.machine()}, torch "
        f"{torch.__version__}.",
        "",
        "| case | seconds | one pass, s | passes | peak MB | of it before | slowest checks, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name in ["without data", *(["with data"] if options.data else [])]:
        command = [sys.executable, *sys.argv, "--case", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines.append(done.stdout.strip())
    return lines


def case(options: argparse.Namespace) -> str:
    patient = prepared(options)
    one = seconds_of_a_pass(patient)
    before = peak_mb()
    start = time.perf_counter()
    report = examine(**patient.arguments())
    seconds = time.perf_counter() - start
    slowest = sorted(report.results, key=lambda result: -result.seconds)[:SLOWEST]
    words = ", ".join(f"{result.check.id} {result.seconds:.1f}" for result in slowest)
    return (
        f"| {options.case} | {seconds:.1f} | {one:.2f} | {seconds / one:.0f} | {peak_mb():.0f} "
        f"| {before:.0f} | {words} |"
    )


def prepared(options: argparse.Namespace) -> OwnPatient:
    torch.manual_seed(0)
    config = recipes.names()[options.recipe]
    if options.case == "without data":
        return own_patient(build(config, num_classes=NUM_CLASSES))
    dataset = open_dataset(options.data)
    repaired, _ = repair_dataset(dataset)
    samples = [s for s in repaired.split("train") if len(s.labels)][:NUM_SAMPLES]
    detector = build(config, classes=dataset.classes)
    return own_patient(detector, samples=samples, traits=dataset.traits)


def seconds_of_a_pass(patient: OwnPatient) -> float:
    """Time the training loss, forward and back; the first pass does not count."""
    model = patient.model.train()
    times: list[float] = []
    for _ in range(6):
        start = time.perf_counter()
        patient.training_loss(model, patient.inputs).backward()
        times.append(time.perf_counter() - start)
        model.zero_grad(set_to_none=True)
    return median(times[1:])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
