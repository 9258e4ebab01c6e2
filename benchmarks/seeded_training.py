"""Does each fault of tests/seeded matter? Trains every program and its twin for a short while.

    nice -n 15 python benchmarks/seeded_training.py   # resumes; seeds 0, 1 and 2
    python benchmarks/seeded_training.py --only rows-without-a-permute --seeds 1

Each program and its twin train from the same seed on the same small scenes (110 steps of 12
pictures; classifiers 40). The score is AP (mean over IoU .5 and .75), for classifiers accuracy,
each as the program's own decoding and metric give it. Results go to
benchmarks/results/seeded-training.json. A fault counts as *faulty* when the mean score of the twin
is higher by more than 0.05 and by more than two standard errors of the paired differences, or when
the loss breaks; else as *harmless*: there an error of the doctor's is a false alarm.
"""

import argparse
import json
import math
from pathlib import Path
import statistics
import sys
import time
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from seeded.program import PROGRAMS, Program, built  # noqa: E402
import seeded.programs  # noqa: E402, F401
from seeded.short_training import Memory, short_training  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "seeded-training.json"
MATTERS = 0.05


def verdict(scores: dict[str, list[float | None]]) -> str:
    """`faulty`, `harmless`, or `undecided` while fewer than two seeds are done."""
    pairs = list(zip(scores["twin"], scores["faulty"], strict=False))
    if len(pairs) < 2:
        return "undecided"
    if any(faulty is None for _, faulty in pairs):
        return "faulty"
    gaps = [twin - faulty for twin, faulty in pairs if twin is not None and faulty is not None]
    error = statistics.stdev(gaps) / math.sqrt(len(gaps))
    mean = statistics.mean(gaps)
    return "faulty" if mean > MATTERS and mean > 2 * error else "harmless"


def train_one(entry: Program, seed: int, memory: Memory) -> dict[str, float | None]:
    scores: dict[str, float | None] = {}
    for name, faulty in (("twin", False), ("faulty", True)):
        score = short_training(
            built(entry.build, seed=seed, faulty=faulty), seed=seed, memory=memory
        )
        scores[name] = None if math.isnan(score) else round(score, 4)
    return scores


def load() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="ids of programs")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    memory: Memory = {}
    for seed in range(arguments.seeds):
        memory.clear()
        for entry in PROGRAMS:
            if arguments.only and entry.id not in arguments.only:
                continue
            results = load()
            row = results.setdefault(entry.id, {"twin": [], "faulty": []})
            if entry.not_trained:
                row.update(verdict="not trained", why=entry.not_trained)
            elif len(row["twin"]) <= seed:
                began = time.perf_counter()
                for name, score in train_one(entry, seed, memory).items():
                    row[name].append(score)
                row["verdict"] = verdict(row)
                print(f"{seed} {entry.id}: {row} {time.perf_counter() - began:.0f} s", flush=True)
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
