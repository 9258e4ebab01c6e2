"""How often a blind bisect finds exactly the culprits, and what it asks for that.

    python benchmarks/guilty_sets.py --out bench-bisect            # goes on where it was stopped
    python benchmarks/guilty_sets.py --out bench-bisect --table    # runs nothing
    python benchmarks/guilty_sets.py --out bench-bisect --check    # does each fault cost something?

Each case is a tiny detector with nine changes: what stands behind four places of it, its stem,
its activation, two of its stages and the width of its head. One, two or three of the places get a
fault that no shape shows (`guilty_parts.py`); all else is sound. Places and faults are drawn from
the case's number. The judge trains, and never asks the doctor.
"""

import argparse
from dataclasses import replace
import json
from pathlib import Path
import sys
from time import monotonic

import numpy as np
import torch

from pocketdet.bisect.config_space import ConfigSpace
from pocketdet.bisect.log import Log
from pocketdet.bisect.search import Search
from pocketdet.bisect.training_judge import FIRST_STEPS, TrainingJudge
from pocketdet.bisect.trial_trainer import TrialTrainer
from pocketdet.conventions import InputContract
from pocketdet.model import (
    DetectorConfig,
    PeleeHead,
    PeleeStem,
    PlacedAttention,
    SiLU,
    TwoWayDense,
)
from pocketdet.model.priors import prior_ladder
from pocketdet.runs.data import DataSource
from pocketdet.trial import SideBySide, open_trial_data

sys.path.insert(0, str(Path(__file__).resolve().parent))
from guilty_parts import FAULTY, SOUND, Step
from squares import write_squares

PLACES = ("stem", "stage1", "stage2", "stage3")
NUM_CHANGES = 9
STAGE = TwoWayDense(num_layers=1, growth=16, bottleneck_width=1)
HEALTHY = DetectorConfig(
    input=InputContract(height=64, width=64),
    stem=PeleeStem(channels=8),
    stages=(replace(STAGE, growth=8, stride=1), replace(STAGE, stride=1), STAGE),
    levels_from=(2,),
    extras=(),
    head=PeleeHead(channels=16, priors=prior_ladder((0, 0), (0.3, 0.45, 0.6))),
)


def with_steps(kinds: dict[str, str]) -> DetectorConfig:
    """Give the altered config with a step of some kind behind each place."""
    first, second, third = HEALTHY.stages
    return replace(
        HEALTHY,
        attention=tuple(
            PlacedAttention(block=Step(kind=kind), after=(place,)) for place, kind in kinds.items()
        ),
        activation=SiLU(),
        stem=PeleeStem(channels=12),
        stages=(first, replace(second, num_layers=2), replace(third, growth=20)),
        head=replace(HEALTHY.head, channels=24),
    )


def case(number: int) -> tuple[DetectorConfig, list[str]]:
    """Give an altered config and the changes that are at fault in it."""
    rng = np.random.default_rng(number)
    guilty = rng.choice(PLACES, size=1 + number % 3, replace=False).tolist()
    faults = dict(zip(guilty, rng.permutation(FAULTY).tolist(), strict=False))
    kinds = {place: faults.get(place, str(rng.choice(SOUND))) for place in PLACES}
    return with_steps(kinds), sorted(f"attention[{place}]" for place in guilty)


def trainer_in(out: Path, data: Path) -> TrialTrainer:
    source = DataSource(data=str(data))
    machines = SideBySide(devices=("cpu",), data=open_trial_data(source))
    return TrialTrainer(
        healthy=HEALTHY, source=source, machines=machines, folder=out / "trials", num_val=48
    )


def check(trainer: TrialTrainer) -> str:
    """Train each kind behind each place for 40 steps, all else sound, and give AP50."""
    lines = ["| | " + " | ".join(PLACES) + " |", "|---|" + "---|" * len(PLACES)]
    for kind in (*SOUND, *FAULTY):
        found: list[str] = []
        for place in PLACES:
            config = with_steps({**dict.fromkeys(PLACES, "scale"), place: kind})
            (result,) = trainer([(config, 0)], steps=FIRST_STEPS)
            found.append(f"{100 * result.ap50:.0f}")
        lines.append(f"| {kind} | {' | '.join(found)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def run(number: int, out: Path, trainer: TrialTrainer) -> dict[str, object]:
    altered, truth = case(number)
    judge = TrainingJudge(trainer=trainer, healthy=HEALTHY, most_steps=160)
    space = ConfigSpace(HEALTHY, altered, classes=trainer.machines.data.data.classes)
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
        "undecided": progress.undecided,
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
    parser.add_argument("--check", action="store_true", help="train every kind at every place")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows_file = options.out / "rows.jsonl"
    lines = rows_file.read_text().splitlines() if rows_file.is_file() else []
    rows = [json.loads(line) for line in lines]
    data = options.out / "squares"
    if not data.is_dir():
        write_squares(data, num_train=200, num_val=48, most=1, sides=(20, 40))
    torch.set_num_threads(1)
    trainer = trainer_in(options.out, data)
    if options.check:
        print(check(trainer))
        return
    for number in [] if options.table else options.cases:
        if all(row["case"] != number for row in rows):
            rows.append(run(number, options.out, trainer))
            with rows_file.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
