"""What a judge says of one set of changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

Subject = TypeVar("Subject", contravariant=True)

JUDGES = ("train", "doctor", "both")


def check_judge(name: str) -> None:
    """Check what `--judge` names: one of ours, or a function of the user's as module:name."""
    if name not in JUDGES and ":" not in name:
        raise ValueError(
            f"`--judge` must be train, doctor, both, or module:name of a function of a network "
            f"that gives True for a sound one; got {name!r}."
        )


class Verdict(StrEnum):
    """`UNTESTABLE`: these changes cannot be made without others; `UNDECIDED`: too close to say."""

    HEALTHY = "healthy"
    FAULTY = "faulty"
    UNTESTABLE = "untestable"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its reason, a sentence, and what was measured; `seconds` it took."""

    verdict: Verdict
    why: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_faulty(self) -> bool:
        return self.verdict is Verdict.FAULTY

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        return {
            "verdict": self.verdict.value,
            "why": self.why,
            "measured": dict(self.measured),
            "seconds": round(self.seconds, 2),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Judgement":
        """Read what `to_data` gave."""
        return cls(
            verdict=Verdict(data["verdict"]),
            why=data["why"],
            measured=data["measured"],
            seconds=data["seconds"],
        )


class Judge(Protocol[Subject]):
    """Tells a faulty subject from a healthy one; it knows the healthy end already."""

    def open(self, faulty_end: Subject, *, known: Judgement | None = None) -> Judgement:
        """Judge the far end of a search, by which the judgements that follow are measured.

        `known` is what it said of the same end before it was interrupted.
        """
        ...

    def __call__(self, subject: Subject) -> Judgement:
        """Say on which side of the search a subject stands."""
        ...
