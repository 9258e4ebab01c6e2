"""What a pruned detector should be fine-tuned with: rates, averages, criteria, on `--split-val`.

    python benchmarks/fine_tuning.py RUN DATA --split-train train --split-val val --out FOLDER

RUN must not have seen the validation split. Half of the multiply-accumulates stay in every case;
rates are times the run's own. The table is FOLDER/fine_tuning.md.
"""

from typing import Any

from compressing import Given, arguments, from_data, perform, table

from pocketdet.compress.origin import read_origin

RATES = (0.1, 0.25, 0.5, 1.0)
COLUMNS = ("val", "macs", "kB", "ms", "speed-up least", "seconds")


def cases(given: Given) -> dict[str, tuple[Any, ...]]:
    rate = read_origin(given.run).settings.learning_rate
    found: dict[str, tuple[Any, ...]] = {}
    for times in RATES:
        tune = {"epochs": given.epochs, "learning_rate": times * rate}
        found[f"rate-{times}"] = from_data({"prune": {"macs": 0.5, "fine_tune": tune}})
    tune = {"epochs": given.epochs}
    for decay in (None, 0.98, 0.998):
        how = {"macs": 0.5, "fine_tune": {**tune, "ema_decay": decay}}
        found[f"average-{decay}"] = from_data({"prune": how})
    for score in ("Magnitude", "BNScale", "Taylor", "Lasso", "Discrimination"):
        for ratios in ("ranked", "uniform"):
            how = {"macs": 0.5, "score": score, "ratios": ratios, "fine_tune": tune}
            plain = {**how, "reconstruct": None}
            found[f"score-{ratios}-{score}"] = from_data({"prune": plain})
            found[f"refitted-{ratios}-{score}"] = from_data({"prune": {**how, "reconstruct": {}}})
    return found


def main() -> None:
    given = arguments(__doc__, epochs=5.0)
    rows = perform(cases(given), given)
    (given.out / "fine_tuning.md").write_text(table(rows, COLUMNS))


if __name__ == "__main__":
    main()
