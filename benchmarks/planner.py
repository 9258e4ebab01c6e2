"""The planner's predictions beside what was measured, on three targets.

    python benchmarks/planner.py RUN DATA --out FOLDER --test test [--epochs 5]

Targets are parts of what the detector takes in a quiet moment at the beginning. The table is
FOLDER/planner.md.
"""

from typing import Any

from compressing import Given, arguments, from_data, perform, table

from pocketdet.compress.latency import measure_latencies
from pocketdet.model import Detector

PARTS = (0.7, 0.5, 0.3)
COLUMNS = ("plan", "predicted ap", "measured ap", "predicted ms", "measured ms", "kept")


def cases(given: Given) -> dict[str, tuple[Any, ...]]:
    whole = measure_latencies(
        {"whole": Detector.load(given.run)}, runtime=given.runtime, rounds=60
    )["whole"]
    tune = {"epochs": given.epochs}
    return {
        f"target-{part}": from_data(
            {
                "plan": {
                    "milliseconds": round(part * whole.p10, 2),
                    "lose": 2.0,
                    "fine_tune": tune,
                    "try_out": {"epochs": given.epochs / 2},
                }
            }
        )
        for part in PARTS
    }


def main() -> None:
    given = arguments(__doc__, epochs=5.0)
    rows = perform(cases(given), given)
    plans = {
        f"{name}, {place + 1}": {
            **plan,
            **{k: round(100 * plan[k], 1) for k in ("predicted ap", "measured ap")},
            **{k: round(plan[k], 2) for k in ("predicted ms", "measured ms")},
        }
        for name, row in rows.items()
        for place, plan in enumerate(row["said"][0]["rows"])
    }
    text = (
        table(plans, COLUMNS)
        + "\n"
        + table(rows, ("test", "val", "macs", "ms least", "speed-up least"))
    )
    (given.out / "planner.md").write_text(text)


if __name__ == "__main__":
    main()
