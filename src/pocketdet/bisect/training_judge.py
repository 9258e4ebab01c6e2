"""The judge that trains: as few steps, and as few seeds, as tell the two ends apart.

It knows nothing of what a network looks like. Both ends are trained for a few steps: weights that
no step moves in the altered one are a fault that a single training shows. Else both are trained
with three paired seeds, for twice as many steps again and again, until some signal sets them apart
by much more than seeds do; where that stays open, with more seeds. A set of changes is then at
fault if it lies past the middle between the two ends; where one seed leaves that open, more follow,
and where all do, the answer is "undecided".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from statistics import mean
from typing import Generic, Protocol, TypeVar

from pocketdet.bisect.scale import FAULTY_FROM, Scale, scale_between
from pocketdet.bisect.signals import SIGNALS, TRAINING
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.bisect.yardstick import ByDivergence, ByScale, ByWhatLearns, Yardstick
from pocketdet.trial import TrialResult

FIRST_STEPS = 40
TOLERANCE = 0.25
CLOSE = 0.5
"""Of the clarity that is needed: from here on more seeds of both ends may set them apart."""
LEARNT = 0.1
"""Of the loss of the first steps."""


Subject = TypeVar("Subject")
Trained = TypeVar("Trained", contravariant=True)


class Trainer(Protocol[Trained]):
    """Trains configs, each with a seed, for some steps; what was trained before is remembered."""

    @property
    def at_once(self) -> int:
        """How many trainings take no longer than one."""
        ...

    def __call__(
        self, trainings: Sequence[tuple[Trained, int]], *, steps: int
    ) -> list[TrialResult]: ...

    def signals(self, one: Trained, other: Trained) -> Sequence[str]:
        """Name the signals by which trainings of two configs can be compared."""
        ...


@dataclass(kw_only=True)
class TrainingJudge(Generic[Subject]):
    """Tells faulty from healthy by short trainings.

    - `num_seeds`: of both ends, and so of the scale; `most_seeds`: of a subject that is close;
    - `most_steps`: the longest training that it tries;
    - `tolerance`: the share of the first fault's size that a rest must be shown to keep, or it is
      not called faulty;
    - `tell`: is told what is being trained.
    """

    trainer: Trainer[Subject]
    healthy: Subject
    num_seeds: int = 3
    most_seeds: int = 5
    most_steps: int = 640
    tolerance: float = TOLERANCE
    tell: Callable[[str], None] = lambda doing: None
    scales: list[Scale] = field(default_factory=list[Scale])

    def __post_init__(self) -> None:
        if self.num_seeds < 2 or self.most_seeds < self.num_seeds:
            raise ValueError(
                "`num_seeds` must be at least 2, or the noise cannot be known, and `most_seeds` no "
                f"fewer; got {self.num_seeds} and {self.most_seeds}."
            )
        self._yardstick: Yardstick | None = None

    def open(self, faulty_end: Subject, *, known: Judgement | None = None) -> Judgement:
        """Find the least steps that tell an end from the healthy one, and lay the scale.

        What was said before is said again from the same trainings, which are kept.
        """
        judgement = self.never_learns(faulty_end)
        if judgement is not None:
            return judgement
        if self.scales:
            kept = self.judged(faulty_end, ByScale(scale=self.scales[0], limit=self.tolerance))
            if not kept.is_faulty:
                return kept
        return self._ladder(faulty_end, self.scales[-1].steps if self.scales else FIRST_STEPS)

    def __call__(self, subject: Subject) -> Judgement:
        """Train a subject with one seed, and with more as long as it is close to the middle."""
        assert self._yardstick is not None
        return self.judged(subject, self._yardstick)

    def judged(self, subject: Subject, yardstick: Yardstick) -> Judgement:
        """Train a subject with one seed after another until a yardstick is sure."""
        results: list[TrialResult] = []
        at_once = self.trainer.at_once if yardstick.is_noisy else 1
        while True:
            first = len(results)
            seeds = range(first, min(self.most_seeds, first + at_once))
            numbers = " and ".join(str(seed + 1) for seed in seeds)
            self.tell(f"seed {numbers}, {yardstick.steps} steps")
            results += self.trainer([(subject, seed) for seed in seeds], steps=yardstick.steps)
            judgement = yardstick(results)
            if judgement.verdict is not Verdict.UNDECIDED or len(results) == self.most_seeds:
                return judgement

    def never_learns(self, faulty_end: Subject) -> Judgement | None:
        """Look for weights that stand still in the altered end only, with a seed of each.

        They are a fault, and what is judged after it is judged by such weights.
        """
        healthy, faulty = self._ends(faulty_end, FIRST_STEPS, num_seeds=1)
        yardstick = ByWhatLearns(steps=FIRST_STEPS, known=frozenset(healthy[0].unmoved))
        if not yardstick.names(faulty):
            return None
        self._yardstick = yardstick
        return yardstick(faulty)

    def _ladder(self, faulty_end: Subject, start: int) -> Judgement:
        """Train both ends longer and longer, until something sets them apart.

        Where nothing does so plainly, what came nearest to it counts, at the length where it did.
        """
        names = self.trainer.signals(self.healthy, faulty_end)
        steps, was_better, best = start, False, None
        while True:
            healthy, faulty = self._ends(faulty_end, steps, num_seeds=self.num_seeds)
            if all(result.outcome == "diverged" for result in faulty):
                self._yardstick = ByDivergence(steps=steps)
                return Judgement(
                    verdict=Verdict.FAULTY,
                    why=f"diverged within {steps} steps with each of {self.num_seeds} seeds",
                    measured={"steps": steps, "diverged": True},
                )
            scales = _scales(names, steps, healthy, faulty)
            best = max([*scales, best or scales[0]], key=lambda scale: scale.clarity)
            is_better = best.clarity < 1 and any(_is_plainly_better(s) for s in scales)
            is_last = 2 * steps > self.most_steps or _have_learnt(healthy)
            is_last = is_last or (is_better and was_better)
            if best.is_plain or is_last:
                return self._measured_by(self._with_more_seeds(faulty_end, best), scales)
            steps, was_better = 2 * steps, is_better

    def _with_more_seeds(self, faulty_end: Subject, scale: Scale) -> Scale:
        """Add seeds to a scale that nearly sets the ends apart, until it does or does not."""
        for number in range(len(scale.seeds) + 1, self.most_seeds + 1):
            if not CLOSE <= scale.clarity < 1:
                break
            healthy, faulty = self._ends(faulty_end, scale.steps, num_seeds=number)
            (scale,) = _scales([scale.signal], scale.steps, healthy, faulty) or [scale]
        return scale

    def _measured_by(self, scale: Scale, scales: Sequence[Scale]) -> Judgement:
        better = next((one for one in scales if _is_plainly_better(one)), None)
        if scale.clarity < 1 and better is not None:
            return Judgement(
                verdict=Verdict.HEALTHY,
                why=f"better than the healthy end after {scale.steps} steps: {_gap(better)}",
                measured=better.to_data(),
            )
        if scale.clarity < 1:
            return Judgement(
                verdict=Verdict.HEALTHY,
                why=f"after {scale.steps} steps with {len(scale.seeds)} seeds the ends differ by "
                f"no more than seeds do ({_gap(scale)})",
                measured=scale.to_data(),
            )
        self.scales.append(scale)
        self._yardstick = ByScale(scale=scale, limit=FAULTY_FROM)
        why = f"worse than the healthy end after {scale.steps} steps: {_gap(scale)}"
        return Judgement(verdict=Verdict.FAULTY, why=why, measured=scale.to_data())

    def _ends(
        self, faulty_end: Subject, steps: int, *, num_seeds: int
    ) -> tuple[list[TrialResult], list[TrialResult]]:
        """Train both ends, the seeds in turns."""
        self.tell(f"both ends, {num_seeds} seeds, {steps} steps")
        trainings = [(end, s) for s in range(num_seeds) for end in (self.healthy, faulty_end)]
        results = self.trainer(trainings, steps=steps)
        healthy, faulty = results[::2], results[1::2]
        if any(result.outcome == "diverged" for result in healthy):
            raise ValueError(
                f"The healthy end must train, and it diverged within {steps} steps: "
                f"{healthy[0].reason} Lower `--learning-rate`."
            )
        return healthy, faulty


def _scales(
    names: Iterable[str],
    steps: int,
    healthy: Sequence[TrialResult],
    faulty: Sequence[TrialResult],
) -> list[Scale]:
    """Lay a scale by each signal that is finite; a seed that diverged has none."""
    scales: list[Scale] = []
    pairs = [(h, f) for h, f in zip(healthy, faulty, strict=True) if f.outcome == "trained"]
    for name in names:
        values = [(SIGNALS[name](h), SIGNALS[name](f)) for h, f in pairs]
        if len(values) > 1 and all(isfinite(v) for pair in values for v in pair):
            scales.append(
                scale_between(name, steps, [h for h, _ in values], [f for _, f in values])
            )
    return scales


def _have_learnt(results: Sequence[TrialResult]) -> bool:
    """Say whether all is learnt by heart: from then on all that learns at all draws level."""
    first = mean(result.history[0]["loss"] for result in results)
    return mean(SIGNALS[TRAINING](result) for result in results) < LEARNT * first


def _is_plainly_better(scale: Scale) -> bool:
    """Say so of the altered end, by the loss: AP50 may be better by what one class does."""
    return scale.signal == TRAINING and scale.gap < 0 and scale.is_plain


def _gap(scale: Scale) -> str:
    return (
        f"{scale.signal} {scale.healthy:.3f} against {scale.faulty:.3f}, "
        f"{abs(scale.distance):.1f} times the scatter of a seed"
    )
