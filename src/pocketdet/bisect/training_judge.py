"""The judge that trains: as few steps, and as few seeds, as tell the two ends apart.

It knows nothing of what a network looks like. Both ends are trained for a few steps with three
paired seeds, then for twice as many, until some signal sets them apart by much more than seeds do.
A set of changes is then at fault if it lies past the middle between the two ends; where one
seed leaves that open, more follow, and where all do, the answer is "undecided".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Generic, Protocol, TypeVar

from pocketdet.bisect.scale import FAULTY_FROM, PLAIN, SEPARATE, Scale, scale_between
from pocketdet.bisect.signals import SCORES, SIGNALS
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.trial import TrialResult

FIRST_STEPS = 40
TOLERANCE = 0.25


Subject = TypeVar("Subject")
Trained = TypeVar("Trained", contravariant=True)


class Trainer(Protocol[Trained]):
    """Trains a config with a seed for some steps; the same question is answered from memory."""

    def __call__(self, config: Trained, *, seed: int, steps: int) -> TrialResult: ...

    def have_equal_losses(self, one: Trained, other: Trained) -> bool:
        """Say whether two configs predict the same, so that their losses can be compared."""
        ...


@dataclass(kw_only=True)
class TrainingJudge(Generic[Subject]):
    """Tells faulty from healthy by short trainings.

    - `num_seeds`: of both ends, and so of the scale; `most_seeds`: of a subject that is close;
    - `most_steps`: the longest training that it tries;
    - `tolerance`: the share of the first fault's size below which the rest counts as healthy;
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
        self._by_divergence: int | None = None

    def open(self, faulty_end: Subject, *, known: Judgement | None = None) -> Judgement:
        """Find the least steps that tell an end from the healthy one, and lay the scale.

        What was said before is said again from the same trainings, which are kept.
        """
        self._by_divergence = None
        if self.scales:
            small = self._is_small(faulty_end)
            if small is not None:
                return small
        start = self.scales[-1].steps if self.scales else FIRST_STEPS
        scale = self._ladder(faulty_end, start)
        if self._by_divergence is not None:
            steps = self._by_divergence
            return Judgement(
                verdict=Verdict.FAULTY,
                why=f"diverged within {steps} steps with each of {self.num_seeds} seeds",
                measured={"steps": steps, "diverged": True},
            )
        assert scale is not None
        if scale.distance < SEPARATE:
            return Judgement(
                verdict=Verdict.HEALTHY,
                why=f"after {scale.steps} steps with {self.num_seeds} seeds the ends differ by no "
                f"more than seeds do ({_gap(scale)})",
                measured=scale.to_data(),
            )
        self.scales.append(scale)
        why = f"worse than the healthy end after {scale.steps} steps: {_gap(scale)}"
        return Judgement(verdict=Verdict.FAULTY, why=why, measured=scale.to_data())

    def __call__(self, subject: Subject) -> Judgement:
        """Train a subject with one seed, and with more as long as it is close to the middle."""
        if self._by_divergence is not None:
            return self._diverging(subject, self._by_divergence)
        return self._placed(subject, self.scales[-1], FAULTY_FROM)

    def _is_small(self, rest: Subject) -> Judgement | None:
        """Say whether what is left is healthy, measured by the first fault."""
        first = self.scales[0]
        judgement = self._placed(rest, first, self.tolerance)
        if judgement.verdict is not Verdict.HEALTHY:
            return None
        return judgement

    def _placed(self, subject: Subject, scale: Scale, limit: float) -> Judgement:
        values: list[float] = []
        where, error = 0.0, float("inf")
        for seed in range(self.most_seeds):
            self.tell(f"seed {seed + 1}, {scale.steps} steps")
            result = self.trainer(subject, seed=seed, steps=scale.steps)
            if result.outcome == "diverged":
                return _diverged(result, scale.steps)
            values.append(SIGNALS[scale.signal](result))
            where, error = scale.position(values)
            if abs(where - limit) > error:
                break
        verdict = Verdict.FAULTY if where > limit else Verdict.HEALTHY
        if abs(where - limit) <= error:
            verdict = Verdict.UNDECIDED
        seeds = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
        why = (
            f"{scale.signal} {sum(values) / len(values):.3f} after {scale.steps} steps, {seeds}: "
            f"{100 * where:.0f} % ± {100 * error:.0f} of the way from healthy to faulty"
        )
        measured = {
            "signal": scale.signal,
            "steps": scale.steps,
            "values": values,
            "position": where,
            "error": error,
            "limit": limit,
        }
        return Judgement(verdict=verdict, why=why, measured=measured)

    def _diverging(self, subject: Subject, steps: int) -> Judgement:
        result = self.trainer(subject, seed=0, steps=steps)
        if result.outcome == "diverged":
            return _diverged(result, steps)
        return Judgement(
            verdict=Verdict.HEALTHY,
            why=f"did not diverge within {steps} steps",
            measured={"steps": steps, "diverged": False},
        )

    def _ladder(self, faulty_end: Subject, start: int) -> Scale | None:
        names = SIGNALS if self.trainer.have_equal_losses(self.healthy, faulty_end) else SCORES
        steps, best = start, None
        while True:
            healthy = self._trained(self.healthy, steps, "the healthy end")
            faulty = self._trained(faulty_end, steps, "the altered end")
            if all(result.outcome == "diverged" for result in faulty):
                self._by_divergence = steps
                return None
            best = _best_scale(names, steps, healthy, faulty)
            if best.distance >= PLAIN or 2 * steps > self.most_steps:
                return best
            steps *= 2

    def _trained(self, config: Subject, steps: int, what: str) -> list[TrialResult]:
        results: list[TrialResult] = []
        for seed in range(self.num_seeds):
            self.tell(f"{what}, seed {seed + 1}, {steps} steps")
            results.append(self.trainer(config, seed=seed, steps=steps))
        if what == "the healthy end" and any(r.outcome == "diverged" for r in results):
            raise ValueError(
                f"The healthy end must train, and it diverged within {steps} steps: "
                f"{results[0].reason} Lower `--learning-rate`."
            )
        return results


def _best_scale(
    names: Iterable[str],
    steps: int,
    healthy: Sequence[TrialResult],
    faulty: Sequence[TrialResult],
) -> Scale:
    """Take the signal that sets the ends furthest apart; a seed that diverged has none."""
    scales: list[Scale] = []
    pairs = [(h, f) for h, f in zip(healthy, faulty, strict=True) if f.outcome == "trained"]
    for name in names:
        values = [(SIGNALS[name](h), SIGNALS[name](f)) for h, f in pairs]
        if len(values) > 1 and all(isfinite(v) for pair in values for v in pair):
            scales.append(
                scale_between(name, steps, [h for h, _ in values], [f for _, f in values])
            )
    return max(scales, key=lambda scale: scale.distance)


def _gap(scale: Scale) -> str:
    return (
        f"{scale.signal} {scale.healthy:.3f} against {scale.faulty:.3f}, "
        f"{scale.distance:.1f} times the scatter of a seed"
    )


def _diverged(result: TrialResult, steps: int) -> Judgement:
    return Judgement(
        verdict=Verdict.FAULTY,
        why=f"diverged within {steps} steps: {result.reason}",
        measured={"steps": steps, "diverged": True},
    )
