"""By what a round tells faulty from healthy: a place between the ends, divergence, what learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pocketdet.bisect.scale import Scale
from pocketdet.bisect.signals import SIGNALS
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.trial import TrialResult

MOST_NAMES = 3


class Yardstick(Protocol):
    """Judges a subject by what came of its trainings so far, one for each seed."""

    @property
    def steps(self) -> int:
        """How long a subject is trained."""
        ...

    @property
    def is_noisy(self) -> bool:
        """Whether more than one seed can be of use."""
        ...

    def __call__(self, results: Sequence[TrialResult]) -> Judgement:
        """Judge; "undecided" asks for another seed."""
        ...


@dataclass(frozen=True, kw_only=True)
class ByScale:
    """Faulty is what lies past `limit`, a place between the ends, by more than it is uncertain."""

    scale: Scale
    limit: float

    @property
    def steps(self) -> int:
        return self.scale.steps

    @property
    def is_noisy(self) -> bool:
        return True

    def __call__(self, results: Sequence[TrialResult]) -> Judgement:
        gone = next((result for result in results if result.outcome == "diverged"), None)
        if gone is not None:
            return diverged(gone, self.steps)
        scale = self.scale
        values = [SIGNALS[scale.signal](result) for result in results]
        where, error = scale.position(values)
        verdict = Verdict.FAULTY if where > self.limit else Verdict.HEALTHY
        if abs(where - self.limit) <= error:
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
            "limit": self.limit,
        }
        return Judgement(verdict=verdict, why=why, measured=measured)


@dataclass(frozen=True, kw_only=True)
class ByDivergence:
    """Faulty is what diverges; one seed says it."""

    steps: int
    is_noisy: bool = False

    def __call__(self, results: Sequence[TrialResult]) -> Judgement:
        result = results[0]
        if result.outcome == "diverged":
            return diverged(result, self.steps)
        return Judgement(
            verdict=Verdict.HEALTHY,
            why=f"did not diverge within {self.steps} steps",
            measured={"steps": self.steps, "diverged": False},
        )


@dataclass(frozen=True, kw_only=True)
class ByWhatLearns:
    """Faulty is what has weights that no step moves, which the healthy end has not; one seed."""

    steps: int
    known: frozenset[str]
    is_noisy: bool = False

    def names(self, results: Sequence[TrialResult]) -> list[str]:
        """Give the weights that stood still in every one of some trainings."""
        still = [set(result.unmoved) - self.known for result in results]
        return sorted(set.intersection(*still))

    def __call__(self, results: Sequence[TrialResult]) -> Judgement:
        if results[0].outcome == "diverged":
            return diverged(results[0], self.steps)
        names = self.names(results)
        if not names:
            return Judgement(
                verdict=Verdict.HEALTHY,
                why=f"all of its weights learn within {self.steps} steps",
                measured={"steps": self.steps, "unmoved": []},
            )
        shown = ", ".join(names[:MOST_NAMES])
        more = f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES)
        return Judgement(
            verdict=Verdict.FAULTY,
            why=f"{self.steps} steps did not move {shown}{more}: nothing of the loss depends on it",
            measured={"steps": self.steps, "unmoved": names},
        )


def diverged(result: TrialResult, steps: int) -> Judgement:
    """Say that a training broke, which is a fault whatever it is measured by."""
    return Judgement(
        verdict=Verdict.FAULTY,
        why=f"diverged within {steps} steps: {result.reason}",
        measured={"steps": steps, "diverged": True},
    )
