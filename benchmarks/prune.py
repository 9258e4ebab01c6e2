"""Pruning and sparsity of one trained detector: AP on the test split, MACs, measured time, file.

    python benchmarks/prune.py RUN DATA --out FOLDER [--epochs 5] [--only prune|sparsify]

Each case is a compression in FOLDER; what is finished is not repeated, what was interrupted goes
on. The table is written to FOLDER/prune.md after each case. `scratch` is a detector of the same
recipe, narrower, trained as long as the pruned one was fine-tuned.
"""

import argparse
from dataclasses import dataclass
import json
from pathlib import Path

import torch

from pocketdet.compress import CompressionRequest, FineTuning, StepResult, Workbench
from pocketdet.compress.catalogue import steps_from_data
from pocketdet.compress.run import resume_compression, run_compression
from pocketdet.evaluate.job import evaluate_run
from pocketdet.model import Detector, build, scaled

WIDTHS = {0.7: 0.8, 0.5: 0.65, 0.35: 0.5}


@dataclass(frozen=True, kw_only=True)
class FromScratch:
    """A narrower detector of the same recipe, trained from random weights."""

    width: float
    epochs: float

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        config = scaled(detector.config, width=self.width)
        torch.manual_seed(bench.seed)
        fresh = build(config, classes=detector.classes)
        length = FineTuning(epochs=self.epochs, learning_rate=bench.settings.learning_rate)
        return StepResult(detector=bench.fine_tune(fresh, length, name="training"))


def cases(epochs: float, only: str) -> dict[str, object]:
    tune = {"epochs": epochs}
    found: dict[str, object] = {}
    for share in (0.7, 0.5, 0.35):
        for ratios in ("ranked", "uniform"):
            step = {"macs": share, "ratios": ratios, "fine_tune": tune}
            found[f"prune-{ratios}-{share}"] = steps_from_data([{"prune": step}])
    for share in (0.5, 0.35):
        found[f"prune-scratch-{share}"] = (FromScratch(width=WIDTHS[share], epochs=epochs),)
    if only != "prune":
        for share in (0.5, 0.75, 0.9):
            step = {"share": share, "fine_tune": tune}
            found[f"sparsify-{share}"] = steps_from_data([{"sparsify": step}])
    return {name: steps for name, steps in found.items() if name.startswith(only)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=5.0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    rows: list[str] = []
    for name, steps in cases(given.epochs, given.only).items():
        folder = given.out / name
        if not (folder / "test.json").is_file():
            row = measure(folder, steps, given)
            (folder / "test.json").write_text(json.dumps(row))
        rows.append(line(name, json.loads((folder / "test.json").read_text())))
        print(rows[-1], flush=True)
        (given.out / "prune.md").write_text("\n".join([HEAD, *rows]) + "\n")


HEAD = (
    "| case | test AP | AP50 | MACs | parameters | file, KB | ms | start, ms | speed-up |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def line(name: str, row: dict[str, float]) -> str:
    return (
        f"| {name} | {100 * row['ap']:.1f} | {100 * row['ap50']:.1f} | {row['macs_share']:.0%} | "
        f"{row['parameters']:,} | {row['file_bytes'] / 1024:,.0f} | {row['ms']:.2f} | "
        f"{row['start_ms']:.2f} | {row['start_ms'] / row['ms']:.2f}× |"
    )


def measure(folder: Path, steps: object, given: argparse.Namespace) -> dict[str, float]:
    if folder.is_dir():
        report = resume_compression(folder)
    else:
        report = run_compression(
            CompressionRequest(
                run=given.run, steps=steps, data=given.data, out=given.out, name=folder.name
            )
        )
    after, start = report.steps[-1].figures, report.start
    scored = evaluate_run(Detector.load(folder), given.data, split="test").evaluation
    return {
        "ap": scored.ap,
        "ap50": scored.ap50,
        "macs_share": after.macs / start.macs,
        "parameters": after.parameters,
        "file_bytes": after.file_bytes,
        "ms": after.latency.median,
        "start_ms": start.latency.median,
    }


if __name__ == "__main__":
    main()
