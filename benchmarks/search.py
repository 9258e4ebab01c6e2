r"""Shares of channels by three optimizers at the same number of trials, and the uniform ones.

    python benchmarks/search.py RUN DATA --split-train train --split-val val --test test \
        --out FOLDER

RUN must not have seen the validation split, on which trials are scored. The table is
FOLDER/search.md: `searched` and `uniform` are validation AP after the same fine-tuning.
"""

from typing import Any

from compressing import Given, arguments, from_data, perform, table

TRIALS, STARTUP = 16, 6
COLUMNS = ("trials", "best trial", "uniform trial", "searched", "uniform", "test", "ms", "seconds")


def cases(given: Given) -> dict[str, tuple[Any, ...]]:
    common = {"macs": 0.5, "trials": TRIALS, "fine_tune": {"epochs": given.epochs}}
    return {
        f"search-{sampler}": from_data(
            {"search": {**common, "sampler": {sampler: {"startup": STARTUP}}}}
        )
        for sampler in ("TPE", "GP", "ActorCritic")
    } | {
        "uniform": from_data(
            {
                "prune": {
                    "macs": 0.5,
                    "fine_tune": {"epochs": given.epochs},
                }
            }
        )
    }


def main() -> None:
    given = arguments(__doc__, epochs=4.0)
    rows = perform(cases(given), given)
    for row in rows.values():
        said = row["said"][0]
        if "trials" in said["figures"]:
            row["trials"] = int(said["figures"]["trials"])
            row["best trial"] = round(100 * max(trial["ap"] for trial in said["rows"]), 2)
            row["uniform trial"] = round(100 * said["rows"][0]["ap"], 2)
            row["searched"] = round(100 * said["figures"]["ap searched"], 2)
            row["uniform"] = round(100 * said["figures"]["ap uniform"], 2)
    (given.out / "search.md").write_text(table(rows, COLUMNS))


if __name__ == "__main__":
    main()
