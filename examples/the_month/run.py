"""Train every network of the story for the same small budget, and compare.

    python examples/the_month/run.py               # trains what is missing, then prints the table
    python examples/the_month/run.py --table       # prints the table of what is there
    python examples/the_month/run.py --data BCCD   # on data of one's own, with train and val

Each run is a folder that goes on where it was stopped, so the script can be stopped at any time
and started again. The table is also written to `table.md` beside the runs.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import torch

from pocketdet.config_file import load_config
from pocketdet.data.augment.settings import LIGHT_AUGMENT
from pocketdet.data.digits.builtin import BuiltinSettings, builtin_dataset
from pocketdet.runs.data import DataSource
from pocketdet.runs.training import RunRequest, resume_training, run_training
from pocketdet.train.checkpoint import read_checkpoint
from pocketdet.train.settings import TrainSettings

HERE = Path(__file__).resolve().parent

STEPS = {
    "base": "unaltered, a small Pelee",
    "altered": "altered, as it was",
    "softmax_mended": "softmax mended only",
    "norm_mended": "normalisation mended only",
    "both_mended": "both mended",
    "gate_survives": "attention behind the normalisation",
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every network gets; the folder of the runs is named by it."""

    data: str | None
    num_train: int
    num_val: int
    epochs: int
    learning_rate: float

    @property
    def folder_name(self) -> str:
        data = Path(self.data).name.lower() if self.data else f"{self.num_train}-scenes"
        return f"{data}-{self.epochs}-epochs"

    def source(self) -> DataSource:
        if self.data:
            return DataSource(data=self.data)
        scenes = BuiltinSettings(num_train=self.num_train, num_val=self.num_val)
        return DataSource(data=str(builtin_dataset(settings=scenes)))

    def settings(self, seed: int) -> TrainSettings:
        return TrainSettings(
            epochs=self.epochs,
            evaluate_every=self.epochs,
            batch_size=8,
            learning_rate=self.learning_rate,
            warmup_epochs=0.5,
            ema_decay=0.99,
            seed=seed,
            num_workers=0,
            augmentation=replace(LIGHT_AUGMENT, expand_probability=0.0),
        )


def train_one(step: str, seed: int, budget: Budget, out: Path) -> None:
    """Train one network with one seed, go on with it, or see that it is done."""
    name = f"{step}-seed{seed}"
    if history(out / name)[-1:] and "ap" in history(out / name)[-1]:
        return
    if (out / name / "last.pt").is_file():
        resume_training(out / name, device="cpu")
        return
    run_training(
        RunRequest(
            config=load_config(HERE / f"{step}.yaml"),
            source=budget.source(),
            settings=budget.settings(seed),
            recipe=step,
            out=out,
            name=name,
            device="cpu",
        )
    )


def history(run: Path) -> list[dict[str, float]]:
    """Give the rows of figures of a run, none if it has not begun."""
    if not (run / "last.pt").is_file():
        return []
    return read_checkpoint(run / "last.pt")["training"]["history"]


def table(out: Path, seeds: Sequence[int]) -> str:
    """Give the mean and the standard deviation over seeds of what is done, as Markdown."""
    lines = [
        "| network | AP | AP50 | AP by seed |",
        "|---|---|---|---|",
    ]
    for step, name in STEPS.items():
        ends = [history(out / f"{step}-seed{seed}")[-1:] for seed in seeds]
        done = [rows[0] for rows in ends if rows and "ap" in rows[0]]
        each = ", ".join(f"{100 * row['ap']:.1f}" for row in done)
        figures = [spread([row[figure] for row in done]) for figure in ("ap", "ap50")]
        lines.append(f"| {name} | {figures[0]} | {figures[1]} | {each} |")
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """Say mean ± standard deviation in points of 100, or what of it there is."""
    if not values:
        return "-"
    deviation = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{deviation}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a data set with the splits train and val")
    parser.add_argument("--scenes", type=int, default=4000, help="training pictures")
    parser.add_argument("--val-scenes", type=int, default=200, help="pictures to measure on")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=0.06)
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS))
    parser.add_argument("--out", type=Path, default=Path("runs/the_month"))
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args(arguments)
    budget = Budget(
        data=options.data,
        num_train=options.scenes,
        num_val=options.val_scenes,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
    )
    out = options.out / budget.folder_name
    seeds = range(options.seeds)
    if not options.table:
        torch.set_num_threads(1)
        for seed in seeds:
            for step in options.only:
                train_one(step, seed, budget, out)
                ap = history(out / f"{step}-seed{seed}")[-1]["ap"]
                print(f"{step}, seed {seed}: AP {100 * ap:.1f}", flush=True)
    text = table(out, seeds)
    print(text)
    if out.is_dir():
        (out / "table.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
