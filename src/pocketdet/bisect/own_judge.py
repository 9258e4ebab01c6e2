"""The judge that asks a function of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import nn

from pocketdet.bisect.verdict import Judgement, Verdict

Subject = TypeVar("Subject")


@dataclass(frozen=True, kw_only=True)
class OwnJudge(Generic[Subject]):
    """Healthy is a network of which `is_sound` says True, faulty one of which it says False.

    - `name`: what the function goes by; `build`: makes the network of a subject, anew each time.

    Anything else that the function gives is a `ValueError`; what it raises is the user's to see.
    """

    name: str
    is_sound: Callable[[nn.Module], Any]
    build: Callable[[Subject], nn.Module]

    def open(self, faulty_end: Subject, *, known: Judgement | None = None) -> Judgement:
        return known or self(faulty_end)

    def __call__(self, subject: Subject) -> Judgement:
        answer = self.is_sound(self.build(subject))
        if not isinstance(answer, bool):
            raise ValueError(
                f"`--judge {self.name}` must be a function of a network that gives True for a "
                f"sound one, else False; it gave {answer!r}."
            )
        verdict = Verdict.HEALTHY if answer else Verdict.FAULTY
        return Judgement(verdict=verdict, why=f"{self.name} says {answer}")
