"""How often a blind bisect finds exactly the culprits, and what it asks for that.

    python benchmarks/guilty_sets.py --out bench-bisect            # goes on where it was stopped
    python benchmarks/guilty_sets.py --out bench-bisect --table

Each case is a tiny detector with nine changes: what stands behind five places of it, and its
activation, convolution, a stage and an extra level. One, two or three of the places get a fault
that no shape shows (`guilty_parts.py`); all else is sound. Places and faults are drawn from the
case's number. The judge trains, and never asks the doctor.
"""

import argparse
from dataclasses import replace
import json
from pathlib import Path
import sys
from time import monotonic

import numpy as np
import torch

from pocketdet import recipes
from pocketdet.bisect.config_space import ConfigSpace
from pocketdet.bisect.log import Log
from pocketdet.bisect.search import Search
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.bisect.trial_trainer import TrialTrainer
from pocketdet.conventions import InputContract
from pocketdet.model import DetectorConfig, PlacedAttention, SeparableConv, SiLU
from pocketdet.model.scale import scaled
from pocketdet.training_data import DataSource
from pocketdet.trial import SideBySide, open_trial_data

sys.path.insert(0, str(Path(__file__).resolve().parent))
from guilty_parts import FAULTY, SOUND, Step
from squares import write_squares

PLACES = ("stem", "stage1", "stage2", "stage3", "stage4")
NUM_CHANGES = 9


def healthy_config() -> DetectorConfig:
    tiny = replace(recipes.PELEE_TINY, input=InputContract(height=64, width=64))
    return scaled(tiny, width=0.25)


def case(number: int) -> tuple[DetectorConfig, list[str]]:
    """Give an altered config and the fields that are at fault in it."""
    rng = np.random.default_rng(number)
    base = healthy_config()
    guilty = sorted(rng.choice(len(PLACES), size=1 + number % 3, replace=False).tolist())
    kinds = [str(rng.choice(FAULTY if p in guilty else SOUND)) for p in range(len(PLACES))]
    blocks = tuple(
        PlacedAttention(block=Step(kind=kind), after=(place,))
        for kind, place in zip(kinds, PLACES, strict=True)
    )
    stages = (*base.stages[:2], replace(base.stages[2], num_layers=2), base.stages[3])
    altered = replace(
        base,
        attention=blocks,
        activation=SiLU(),
        conv=SeparableConv(),
        stages=stages,
        extras=(replace(base.extras[0], hidden=24),),
    )
    return altered, [f"attention[{PLACES[p]}]" for p in guilty]


def run(number: int, out: Path, data: Path) -> dict[str, object]:
    source = DataSource(data=str(data))
    opened = open_trial_data(source)
    healthy, (altered, truth) = healthy_config(), case(number)
    trainer = TrialTrainer(
        healthy=healthy,
        source=source,
        machines=SideBySide(devices=("cpu",), data=opened),
        folder=out / "trials",
    )
    judge = TrainingJudge(trainer=trainer, healthy=healthy, most_steps=320)
    space = ConfigSpace(healthy, altered, classes=opened.data.classes)
    start = monotonic()
    log = Log(out / f"case-{number}.jsonl", about={"case": number})
    progress = Search(space, judge, memory=log).run()
    found = sorted(change.field for change in progress.guilty)
    return {
        "case": number,
        "culprits": truth,
        "found": found,
        "exact": found == sorted(truth),
        "judgements": progress.asked[-1].number,
        "ended": progress.ended,
        "seconds": round(monotonic() - start, 1),
    }


def table(rows: list[dict[str, object]]) -> str:
    lines = ["| culprits | cases | exact | judgements, mean (most) |", "|---|---|---|---|"]
    for number in (1, 2, 3):
        some = [row for row in rows if len(row["culprits"]) == number]
        asked = [row["judgements"] for row in some]
        if some:
            exact = sum(bool(row["exact"]) for row in some)
            lines.append(
                f"| {number} | {len(some)} | {exact} | {np.mean(asked):.1f} ({max(asked)}) |"
            )
    lines.append(f"\n2^n subsets: {2**NUM_CHANGES}; one by one, each alone: {NUM_CHANGES}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench-bisect"))
    parser.add_argument("--cases", type=int, nargs="*", default=list(range(24)))
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows_file = options.out / "rows.jsonl"
    lines = rows_file.read_text().splitlines() if rows_file.is_file() else []
    rows = [json.loads(line) for line in lines]
    data = options.out / "squares"
    if not data.is_dir():
        write_squares(data, num_train=200, num_val=48, most=1, sides=(20, 40))
    for number in [] if options.table else options.cases:
        if all(row["case"] != number for row in rows):
            torch.set_num_threads(1)
            rows.append(run(number, options.out, data))
            with rows_file.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
