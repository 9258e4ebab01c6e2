"""How much each part of a detector keeps, found by trials and held against the uniform setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from shutil import rmtree
from typing import Any

from pocketdet.compress.channels.lasso import Lasso, Reconstruction
from pocketdet.compress.channels.ratios import Limits
from pocketdet.compress.channels.scores import ChannelScore, Known
from pocketdet.compress.channels.units import find_groups
from pocketdet.compress.figures import checkpoint_bytes
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.fingerprint import fingerprint
from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.prune import Prune
from pocketdet.compress.quantize.quantize import calibrated
from pocketdet.compress.search.bits import Bits, BitSpace
from pocketdet.compress.search.draw import draw_search, front
from pocketdet.compress.search.joint import JointSpace
from pocketdet.compress.search.parts import Per
from pocketdet.compress.search.sampler import TPE, Sampler
from pocketdet.compress.search.space import ChannelSpace
from pocketdet.compress.search.study import Trials
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.data.progress import silent
from pocketdet.model import Detector

Done = list[tuple[list[float], dict[str, float]]]

CALIBRATION_IMAGES = 32


@dataclass(frozen=True, kw_only=True)
class Search:
    """Prune by shares, and quantise by bits, that trials have found; train on in between.

    - `macs`: share of the multiply-accumulates that stays. Every trial has this budget; with a
      sampler of fronts (NSGA2) trials are free, and the best within the budget is taken. 1 leaves
      all channels, where only bits are searched;
    - `bits`: bits of weights that are searched too, with a budget of their own (None: float);
    - `sampler`: what proposes the next trial; `trials`: how many, those of other processes counted;
    - `patience`: stop after so many trials without a better one (None: never);
    - `per`: one share for each "part" (stem, each stage, neck, …) or for each "layer";
    - `score`, `reconstruct`, `least_share`, `multiple`: as in `Prune`;
    - `try_out`: the fine-tuning of a trial, `fine_tune`: of the winner;
    - `study`: a file or a database's URL where processes meet; None: a file of this step's own.

    The first trial is the uniform setting. At the end the best trial and the uniform setting are
    fine-tuned alike, and the better one is the result; which it is, is in the report. Trials are
    scored on the validation split, so what the result is worth has to be asked of another one.
    """

    macs: float = 0.5
    bits: Bits | None = None
    sampler: Sampler = TPE()
    trials: int = 30
    patience: int | None = None
    per: Per = "part"
    score: ChannelScore = Lasso()
    reconstruct: Reconstruction | None = Reconstruction()
    least_share: float = 0.1
    multiple: int = 1
    try_out: FineTuning = FineTuning(epochs=0.5)
    fine_tune: FineTuning = FineTuning(epochs=10.0)
    study: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.macs <= 1 or (self.macs == 1 and self.bits is None):
            raise ValueError(
                "`macs` must be the share that stays, in (0, 1), or 1 where `bits` are searched; "
                f"got {self.macs:g}."
            )
        if self.trials < 2:
            raise ValueError(
                "`trials` must be at least 2, the first of which is the uniform setting; got "
                f"{self.trials}."
            )
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"`patience` must be at least 1 trial; got {self.patience}.")

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Search, fine-tune the best and the uniform setting, give the better; see `Step`."""
        check_in_float(detector, self)
        space = self._space(detector, bench)
        trials = Trials(
            self.study or str(bench.folder / "trials.journal"),
            self._name(detector),
            space,
            self.sampler,
            seed=bench.seed,
        )
        measure = partial(self._measured, detector, space, bench)
        self._perform(trials, space, measure, bench)
        done = trials.done
        figures = [measured for _, measured in done]
        best = self._best(figures)
        plain = space.uniform_within(self.macs)
        uniform = next((i for i, (n, _) in enumerate(done) if n == plain), None)
        draw_search(figures, uniform, best, bench.folder / "search.png")
        return self._ended(detector, bench, space, done, best=best)

    def _name(self, detector: Detector) -> str:
        """Name the study, so that only trials that can be compared are in one."""
        same = replace(self, trials=2, patience=None, fine_tune=FineTuning(), study=None)
        settings = sha256(repr(same).encode()).hexdigest()[:8]
        return f"{type(self.sampler).__name__} {fingerprint(detector)[:12]} {settings}"

    def _space(self, detector: Detector, bench: Workbench) -> JointSpace:
        bits = None if self.bits is None else BitSpace.of(detector, self.bits, self.per)
        if self.macs == 1:
            return JointSpace(detector=detector, channels=None, bits=bits)
        groups = find_groups(detector)
        channels = ChannelSpace(
            groups=groups,
            scores=self.score.scores(detector, groups, bench),
            limits=Limits(least_share=self.least_share, multiple=self.multiple),
            macs=None if self.sampler.is_two_sided else self.macs,
            per=self.per,
        )
        return JointSpace(detector=detector, channels=channels, bits=bits)

    def _perform(self, trials: Trials, space: JointSpace, measure: Any, bench: Workbench) -> None:
        while (number := len(trials.done)) < self.trials and not self._is_stale(trials.done):
            bench.progress("trials", number, self.trials)
            trials.add(measure, numbers=None if number else space.uniform_within(self.macs))
        bench.progress("trials", self.trials, self.trials)

    def _is_stale(self, done: Done) -> bool:
        if self.patience is None or len(done) <= self.patience:
            return False
        scores = [figures["ap"] for _, figures in done]
        return max(scores[-self.patience :]) <= max(scores[: -self.patience])

    def _measured(
        self,
        detector: Detector,
        space: JointSpace,
        bench: Workbench,
        number: int,
        numbers: Sequence[float],
    ) -> dict[str, float]:
        quiet = replace(bench.inside(f"trial {number}"), progress=silent)
        made = self._made(detector, quiet, space, numbers, self.try_out).detector
        rmtree(quiet.folder)
        latency = bench.latencies({"whole": detector, "trial": made}, rounds=10)["trial"]
        scores = bench.evaluate(made)
        return {
            "ap": scores["ap"],
            "ap50": scores["ap50"],
            "milliseconds": latency.least,
            "macs": space.cost(numbers),
            "kilobytes": checkpoint_bytes(made) / 1000,
        }

    def _made(
        self,
        detector: Detector,
        bench: Workbench,
        space: JointSpace,
        numbers: Sequence[float],
        length: FineTuning,
    ) -> StepResult:
        """Prune, train on and quantise by a trial's numbers, or one of these."""
        result = self._pruned(detector, bench, space, numbers, length)
        if self.bits is None:
            return result
        bits = space.layer_bits(result.detector, numbers)
        images = bench.calibration_images(detector, CALIBRATION_IMAGES)
        held = calibrated(result.detector, images, step=self.bits.step(bits))
        held.settle()
        return replace(result, detector=held)

    def _pruned(
        self,
        detector: Detector,
        bench: Workbench,
        space: JointSpace,
        numbers: Sequence[float],
        length: FineTuning,
    ) -> StepResult:
        if space.channels is None:
            tuned = bench.fine_tune(detector, length, name="fine-tuning")
            return StepResult(detector=tuned)
        step = Prune(
            layers=space.shares(numbers),
            score=Known(entries=space.channels.scores),
            reconstruct=self.reconstruct,
            least_share=self.least_share,
            multiple=self.multiple,
            fine_tune=length,
        )
        return step.apply(detector, bench)

    def _best(self, figures: Sequence[Mapping[str, float]]) -> int:
        fitting = [i for i, entry in enumerate(figures) if entry["macs"] <= self.macs + 1e-6]
        if not fitting:
            least = min(entry["macs"] for entry in figures)
            raise ValueError(
                f"No trial of {len(figures)} kept at most {self.macs:.0%} of the multiply-"
                f"accumulates; the least was {least:.0%}. Give more `trials`, or a higher `macs`."
            )
        return max(fitting, key=lambda i: figures[i]["ap"])

    def _ended(
        self, detector: Detector, bench: Workbench, space: JointSpace, done: Done, *, best: int
    ) -> StepResult:
        chosen = {"searched": done[best][0], "uniform": space.uniform_within(self.macs)}
        ends = {
            name: self._made(detector, bench.inside(name), space, numbers, self.fine_tune)
            for name, numbers in chosen.items()
        }
        scores = {name: bench.evaluate(end.detector)["ap"] for name, end in ends.items()}
        winner = max(scores, key=lambda name: scores[name])
        given_up = () if winner == "searched" else (_not_better(scores, len(done)),)
        on_front = set(front([figures for _, figures in done]))
        return StepResult(
            detector=ends[winner].detector,
            figures={
                **ends[winner].figures,
                "trials": float(len(done)),
                "ap searched": scores["searched"],
                "ap uniform": scores["uniform"],
            },
            rows=tuple(
                {"trial": i, **figures, "front": i in on_front, "chosen": i == best}
                for i, (_, figures) in enumerate(done)
            ),
            given_up=(*ends[winner].given_up, *given_up),
        )


def _not_better(scores: Mapping[str, float], num_trials: int) -> str:
    return (
        f"{num_trials} trials found nothing better than the uniform setting (AP "
        f"{100 * scores['searched']:.1f} against {100 * scores['uniform']:.1f} after the same "
        "fine-tuning), so the uniform setting is the result."
    )
