"""Compare configs: seed by seed in turns, until the answer is there or the budget is spent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import json
from pathlib import Path

from pocketdet.compare.comparison import Against, Comparison, Contender
from pocketdet.compare.cost import Cost, costs_of
from pocketdet.compare.draw import draw_comparison
from pocketdet.compare.interval import Difference
from pocketdet.compare.looks import FEWEST_SEEDS, look_levels
from pocketdet.compare.measured import Measured, Measurer, best_of, differences
from pocketdet.compare.verdict import verdict_on, why_to_stop
from pocketdet.data.progress import Progress, silent
from pocketdet.model import DetectorConfig
from pocketdet.runs.data import DataSource
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.settings import TrainSettings
from pocketdet.trial import Job, SideBySide, Trial, TrialData, TrialResult, open_trial_data

USUAL_SIZE = 1.0
"""AP points that are worth settling where the user names no size."""


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """What to compare, and how much it may cost.

    - `configs`: by name; the first is what the others are compared with;
    - `settings`: of every training; its seed is the first of `num_seeds`;
    - `budget_s`: seconds of training, over all interruptions; no seed is begun that would not end
      within them. `difference`: in AP points, the size that matters;
    - `devices`: one process for each; one device several times trains side by side on it.
    """

    configs: Mapping[str, DetectorConfig]
    source: DataSource
    settings: TrainSettings = field(default_factory=TrainSettings)
    num_seeds: int = 5
    budget_s: float | None = None
    difference: float | None = None
    out: Path = Path("compares/comparison")
    devices: tuple[str, ...] = ("auto",)
    num_train: int | None = None
    num_val: int | None = None
    rounds: int = 20

    def __post_init__(self) -> None:
        if len(self.configs) < 2:
            raise ValueError("`configs` must be at least two, under different names.")
        if self.num_seeds < FEWEST_SEEDS:
            raise ValueError(f"`seeds` must be at least {FEWEST_SEEDS}; got {self.num_seeds}.")
        for name in ("budget_s", "difference"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"`{name.removesuffix('_s')}` must be above 0; got {value:g}.")

    def trial(self, name: str, number: int) -> Trial:
        """Give a config's training with the seed of this number, counted from 0."""
        return Trial(
            config=self.configs[name],
            source=self.source,
            settings=replace(self.settings, seed=self.settings.seed + number),
            num_train=self.num_train,
            num_val=self.num_val,
            like=tuple(self.configs.values())[:1],
        )


def run_comparison(request: CompareRequest, *, progress: Progress = silent) -> Comparison:
    """Train what is missing and compare; `out` has comparison.json, a picture and the trials.

    What was trained before an interruption is read again. Raises `ValueError` where a config
    cannot be built, before anything is trained.
    """
    data = open_trial_data(request.source, progress=progress)
    costs = costs_of(request.configs, data.data.classes, rounds=request.rounds)
    with SideBySide(devices=request.devices, data=data) as machines:
        running = _Running(request, data, costs, machines)
        request.out.mkdir(parents=True, exist_ok=True)
        try:
            comparison = running(progress)
        except KeyboardInterrupt as error:
            error.add_note(f"The same command with --out {request.out} goes on.")
            raise
    text = json.dumps(comparison.to_data(), indent=2).encode()
    write_atomically(request.out / "comparison.json", lambda file: file.write(text))
    draw_comparison(comparison, request.out / "comparison.png")
    return comparison


class _Running:
    def __init__(
        self,
        request: CompareRequest,
        data: TrialData,
        costs: Mapping[str, Cost],
        machines: SideBySide,
    ) -> None:
        self._request, self._costs, self._machines = request, costs, machines
        self._classes = data.data.classes
        self._samples = data.subset(request.num_train, request.num_val).val
        self._measure = Measurer(self._samples, self._classes)
        if not any(bool((~(s.difficult | s.crowd)).any()) for s in self._samples):
            raise ValueError(
                f"`{request.source.split_val}` of {request.source.data} must have a box to score; "
                "it has none."
            )
        self._results: dict[str, list[TrialResult]] = {name: [] for name in request.configs}
        self._measured: dict[str, list[Measured]] = {name: [] for name in request.configs}
        self._levels = look_levels(request.num_seeds)

    def __call__(self, progress: Progress) -> Comparison:
        request = self._request
        reason = ""
        for number in range(request.num_seeds):
            self._train(number, progress)
            if number + 1 < FEWEST_SEEDS:
                continue
            reason = self._why_to_stop(number + 1)
            if reason:
                break
        return self._comparison(reason)

    def _train(self, number: int, progress: Progress) -> None:
        names = list(self._request.configs)
        jobs = [
            Job(self._request.trial(name, number), self._request.out / "trials") for name in names
        ]
        before, total = len(names) * number, len(names) * self._request.num_seeds

        def told(done: float) -> None:
            progress("comparing", round(1000 * (before + done)), 1000 * total)

        results = self._machines.run(jobs, told)
        for name, result in zip(names, results, strict=True):
            self._results[name].append(result)
            self._measured[name].append(self._measure(result))

    def _why_to_stop(self, num_seeds: int) -> str:
        if num_seeds == self._request.num_seeds:
            return f"all {num_seeds} seeds are done"
        reasons = self._reasons() if num_seeds in self._levels else []
        if reasons and all(reasons):
            return "; ".join(dict.fromkeys(reasons))
        if self._request.budget_s is not None:
            seconds = sum(one.seconds for of in self._results.values() for one in of)
            at_once = len(self._request.devices)
            if seconds * (1 + 1 / num_seeds) / at_once > self._request.budget_s:
                return "another seed would not end within the budget"
        return ""

    def _reasons(self) -> list[str]:
        """Say of each config why it needs no further seed, an empty text where it does."""
        return [
            why_to_stop(
                found["AP"],
                num_seeds=self._request.num_seeds,
                final_level=self._levels[self._request.num_seeds] / self._num_pairs,
                size=self._request.difference,
            )
            for found in self._against_first().values()
        ]

    @property
    def _level(self) -> float:
        """Give the level of this look; a budget that ends before the first one gets that one's."""
        num_seeds = len(next(iter(self._results.values())))
        return self._levels.get(num_seeds, min(self._levels.values()))

    @property
    def _num_pairs(self) -> int:
        return len(self._request.configs) * (len(self._request.configs) - 1) // 2

    def _against_first(self) -> dict[str, dict[str, Difference]]:
        """Compare each with the first; all pairs of configs share the level (Bonferroni)."""
        first, *others = self._request.configs
        return {
            name: differences(
                self._measured[first],
                self._measured[name],
                self._classes,
                num_images=len(self._samples),
                level=self._level / self._num_pairs,
            )
            for name in others
        }

    def _comparison(self, reason: str) -> Comparison:
        request = self._request
        size = request.difference or USUAL_SIZE
        against = tuple(
            Against(name=name, differences=found, verdict=verdict_on(found["AP"], size=size))
            for name, found in self._against_first().items()
        )
        return Comparison(
            contenders=tuple(self._contender(name) for name in request.configs),
            against=against,
            best=best_of(
                self._measured, self._classes, num_images=len(self._samples), level=self._level
            ),
            num_seeds=len(self._results[against[0].name]),
            planned_seeds=request.num_seeds,
            num_images=len(self._samples),
            level=against[0].differences["AP"].level,
            reason=reason,
            minutes=sum(one.seconds for of in self._results.values() for one in of) / 60,
        )

    def _contender(self, name: str) -> Contender:
        results = self._results[name]
        return Contender(
            name=name,
            ap=tuple(100 * result.ap for result in results),
            ap50=tuple(100 * result.ap50 for result in results),
            diverged=tuple(
                self._request.settings.seed + number
                for number, result in enumerate(results)
                if result.outcome == "diverged"
            ),
            cost=self._costs[name],
            seconds=sum(result.seconds for result in results),
        )
