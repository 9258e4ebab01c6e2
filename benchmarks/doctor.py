"""How good the doctor is, on programs whose authors did not write its checks.

    python benchmarks/doctor.py                        # all of tests/seeded, a table at the end
    python benchmarks/doctor.py --parts programs --only rows-without-a-permute --show
    python benchmarks/doctor.py --sample 4             # every fourth of each part
    python benchmarks/doctor.py --json rows.jsonl      # keeps rows, and goes on from them
    python benchmarks/doctor.py --baselines --write    # benchmarks/results/doctor-DATE.md too

Parts: `programs` (faulty and twin), `look-alikes`, `wild` (others' networks and our recipes). Each
subject is examined once, in this process, with seeds fixed. A program is detected when the doctor
reports an error or a warning that it does not report on the twin. Programs whose fault a short
training does not show (benchmarks/seeded_training.py) are counted apart as harmless.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
import json
from pathlib import Path
import platform
import sys
import time
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from doctor_baselines import BASELINES  # noqa: E402
from doctor_table import missed, table  # noqa: E402

from pocketdet.doctor import ALL_CHECKS, DetectionPipeline, examine  # noqa: E402
from seeded import programs, right  # noqa: E402, F401  (they fill the lists)
from seeded.program import LOOK_ALIKES, PROGRAMS, Patient, built  # noqa: E402
from seeded.wild import WILD  # noqa: E402

PARTS = ("programs", "look-alikes", "wild")
Row = dict[str, Any]


def examined(patient: Patient, *, budget_s: float | None, checks: list[str] | None) -> Row:
    """Examine once; findings, seconds and crashes as plain data."""
    way = patient.pipeline
    known = {check.id for check in ALL_CHECKS}
    began = time.perf_counter()
    report = examine(
        patient.model,
        patient.inputs,
        training_loss=patient.training_loss,
        optimizer=patient.optimizer,
        reference=patient.reference,
        row_boxes=patient.row_boxes,
        pipeline=None if way is None else DetectionPipeline(**vars(way)),
        average=patient.average,
        allow={check: why for check, why in patient.allow.items() if check in known},
        budget_s=budget_s,
        only=checks,
    )
    keys = ("check", "severity", "where", "source", "evidence")
    return {
        "findings": [{key: f.to_data()[key] for key in keys} for f in report.findings],
        "crashed": [f"{r.check.id}: {r.reason}" for r in report.results if r.outcome == "crashed"],
        "seconds": round(time.perf_counter() - began, 2),
    }


def subjects(
    parts: list[str], only: list[str] | None, sample: int
) -> Iterator[tuple[str, str, Callable[[], Patient]]]:
    """Give each subject's part, its name, and what builds it."""
    lists: dict[str, list[tuple[str, Callable[[], Patient]]]] = {
        "programs": [
            (entry.id + ("" if faulty else " (twin)"), partial(built, entry.build, faulty=faulty))
            for entry in PROGRAMS[::sample]
            for faulty in (True, False)
        ],
        "look-alikes": [(e.id, partial(built, e.build)) for e in LOOK_ALIKES[::sample]],
        "wild": [(name, partial(built, build)) for name, build in list(WILD.items())[::sample]],
    }
    for part in parts:
        for name, build in lists[part]:
            if not only or name.removesuffix(" (twin)") in only:
                yield part, name, build


def run(arguments: argparse.Namespace) -> dict[str, Row]:
    rows = kept(arguments.json)
    for part, name, build in subjects(arguments.parts, arguments.only, arguments.sample):
        if f"{part}/{name}" in rows:
            continue
        row: Row = {"part": part, "name": name}
        try:
            row |= examined(build(), budget_s=arguments.budget, checks=arguments.checks)
        except Exception as error:  # the doctor refused or broke: that is a result
            reason = f"examine: {type(error).__name__}: {error}"[:300]
            row |= {"findings": [], "crashed": [reason], "seconds": 0.0}
        if arguments.baselines and part == "programs":
            row["baselines"] = {title: says(build()) for title, says in BASELINES.items()}
        rows[f"{part}/{name}"] = row
        if arguments.json:
            with arguments.json.open("a") as file:
                file.write(json.dumps(row) + "\n")
        if arguments.show:
            show(row)
    return rows


def kept(path: Path | None) -> dict[str, Row]:
    lines = path.read_text().splitlines() if path and path.exists() else []
    return {f"{row['part']}/{row['name']}": row for row in map(json.loads, lines)}


def show(row: Row) -> None:
    print(f"{row['part']}/{row['name']}  {row['seconds']} s")
    for finding in row["findings"]:
        print(
            "   ", finding["severity"], finding["check"], repr(finding["where"]), finding["source"]
        )
        print("       ", finding["evidence"])
    for crash in row["crashed"]:
        print("    CRASHED", crash)
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--only", nargs="*", help="names of subjects")
    parser.add_argument("--checks", nargs="*", help="ids of checks to run, without the others")
    parser.add_argument("--sample", type=int, default=1, help="every n-th subject of each part")
    parser.add_argument("--budget", type=float, help="seconds an examination may take")
    parser.add_argument("--json", type=Path, help="file of rows, kept and resumed from")
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--show", action="store_true", help="each subject's findings")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = run(arguments)
    lines = table(rows)
    print("\n".join(lines + missed(rows)))
    if arguments.write:
        path = ROOT / "benchmarks" / "results" / f"doctor-{date.today()}.md"
        command = " ".join(sys.argv[1:])
        head = (
            f"`python benchmarks/doctor.py {command}`, torch {torch.__version__}, "
            f"{arguments.threads} thread(s), {platform.machine()}, {len(ALL_CHECKS)} checks\n"
        )
        path.write_text("\n".join([head, *lines, *missed(rows)]) + "\n")


if __name__ == "__main__":
    main()
