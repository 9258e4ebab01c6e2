"""Compressions of one trained detector, each in a folder of its own, for the other benchmarks.

What is finished is not repeated, what was interrupted goes on after its last epoch.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

from pocketdet.compress import CompressionRequest, FineTuning, StepResult, Workbench
from pocketdet.compress.catalogue import steps_from_data
from pocketdet.compress.run import resume_compression, run_compression
from pocketdet.evaluate.job import evaluate_run
from pocketdet.model import Detector, build, scaled

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FromScratch:
    """A narrower detector of the same recipe, trained from random weights at the run's own rate."""

    width: float
    epochs: float
    teacher: str | None = None

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        config = scaled(detector.config, width=self.width)
        torch.manual_seed(bench.seed)
        fresh = build(config, classes=detector.classes)
        length = FineTuning(
            epochs=self.epochs, learning_rate=bench.settings.learning_rate, teacher=self.teacher
        )
        return StepResult(detector=bench.fine_tune(fresh, length, name="training"))


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line gave: see `arguments`."""

    run: Path
    data: str
    out: Path
    epochs: float
    split_train: str | None
    split_val: str | None
    test: str | None
    only: tuple[str, ...]
    runtime: str


def arguments(doc: str | None, *, epochs: float) -> Given:
    """Read RUN DATA --out FOLDER and the options that all of these benchmarks have."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=epochs, help="of each fine-tuning")
    parser.add_argument("--split-train", help="that of the run, if not given")
    parser.add_argument("--split-val", help="that of the run, if not given")
    parser.add_argument("--test", help="a split to score the results on as well")
    parser.add_argument("--only", nargs="*", default=(), help="beginnings of names of cases")
    parser.add_argument("--runtime", default="onnxruntime")
    found = vars(parser.parse_args())
    return Given(**{**found, "only": tuple(found["only"])})


def from_data(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give the steps of a `--how` entry."""
    return tuple(steps_from_data([entry]))


def perform(
    cases: Mapping[str, Sequence[Any]], given: Given, *, seeds: Mapping[str, int] | None = None
) -> dict[str, Row]:
    """Perform each case that `--only` leaves; one line is printed for each, as soon as it ends."""
    torch.set_num_threads(1)
    rows: dict[str, Row] = {}
    for name, steps in cases.items():
        if given.only and not name.startswith(given.only):
            continue
        kept = given.out / name / "row.json"
        if not kept.is_file():
            row = _performed(given.out / name, steps, given, seed=(seeds or {}).get(name, 0))
            kept.write_text(json.dumps(row, indent=1))
        rows[name] = json.loads(kept.read_text())
        print(name, {k: v for k, v in rows[name].items() if not isinstance(v, list)}, flush=True)
    return rows


def _performed(folder: Path, steps: Sequence[Any], given: Given, *, seed: int) -> Row:
    if folder.is_dir() and not (folder / "steps.yaml").is_file():
        rmtree(folder)  # Interrupted before there was anything to go on with.
    if folder.is_dir():
        report = resume_compression(folder)
    else:
        report = run_compression(
            CompressionRequest(
                run=given.run,
                steps=steps,
                data=given.data,
                split_train=given.split_train,
                split_val=given.split_val,
                out=given.out,
                name=folder.name,
                runtime=given.runtime,
                seed=seed,
            )
        )
    after, start = report.steps[-1].figures, report.start
    row: Row = {
        "val": round(100 * after.ap, 2),
        "macs": round(after.macs / start.macs, 3),
        "parameters": after.parameters,
        "kB": round(after.file_bytes / 1000),
        "ms": round(after.latency.median, 2),
        "ms least": round(after.latency.least, 2),
        "speed-up": round(start.latency.median / after.latency.median, 2),
        "speed-up least": round(start.latency.least / after.latency.least, 2),
        "seconds": sum(step.said["seconds"] for step in report.steps),
        "said": [step.said for step in report.steps],
    }
    if given.test:
        found = evaluate_run(Detector.load(folder), given.data, split=given.test).evaluation
        row |= {"test": round(100 * found.ap, 2), "test AP50": round(100 * found.ap50, 2)}
    return row


def table(rows: Mapping[str, Row], columns: Sequence[str]) -> str:
    """Give the rows as a Markdown table of these columns."""
    lines = [
        "| case | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [
        f"| {name} | " + " | ".join(f"{row.get(column, '')}" for column in columns) + " |"
        for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"
