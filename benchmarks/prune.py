"""Pruning and sparsity of one trained detector: AP, MACs, measured time, file.

    python benchmarks/prune.py RUN DATA --out FOLDER --test test [--only prune sparsify]

The table is FOLDER/prune.md. `scratch` is a detector of the same recipe, narrower, trained for as
many epochs as the pruned one was fine-tuned, at the run's own rate.
"""

from typing import Any

from compressing import FromScratch, Given, arguments, from_data, perform, table

WIDTHS = {0.7: 0.8, 0.5: 0.65, 0.35: 0.55}
COLUMNS = (
    "test", "test AP50", "val", "macs", "parameters", "kB", "ms", "ms least",
    "speed-up", "speed-up least", "seconds",
)  # fmt: skip


def cases(given: Given) -> dict[str, tuple[Any, ...]]:
    tune = {"epochs": given.epochs}
    found: dict[str, tuple[Any, ...]] = {}
    for share, width in WIDTHS.items():
        own = {"macs": share, "fine_tune": tune}
        size = {**own, "score": "Magnitude", "reconstruct": None}
        found[f"prune-{share}"] = from_data({"prune": own})
        found[f"magnitude-uniform-{share}"] = from_data({"prune": size})
        found[f"magnitude-ranked-{share}"] = from_data({"prune": {**size, "ratios": "ranked"}})
        found[f"scratch-{share}"] = (FromScratch(width=width, epochs=given.epochs),)
    for share in (0.5, 0.75, 0.9):
        step = {"share": share, "fine_tune": tune}
        found[f"sparsify-{share}"] = from_data({"sparsify": step})
    return found


def main() -> None:
    given = arguments(__doc__, epochs=5.0)
    rows = perform(cases(given), given)
    (given.out / "prune.md").write_text(table(rows, COLUMNS))


if __name__ == "__main__":
    main()
