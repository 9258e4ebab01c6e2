"""A search with its log, its clock, and what an interruption leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar

from pocketdet.bisect.log import Log
from pocketdet.bisect.search import Asked, Progress, Search
from pocketdet.bisect.space import Space
from pocketdet.bisect.verdict import Judge

Subject = TypeVar("Subject")
LOG = "judgements.jsonl"


class OutOfTime(Exception):
    """The time that the user gave is up."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Counts from `start`, in seconds of `monotonic()`."""

    start: float
    max_minutes: float | None = None

    @property
    def minutes(self) -> float:
        return (monotonic() - self.start) / 60

    def check(self) -> None:
        """Raise `OutOfTime` when the minutes are up."""
        if self.max_minutes is not None and self.minutes > self.max_minutes:
            raise OutOfTime


def conduct(
    space: Space[Subject],
    judge: Judge[Subject],
    *,
    log: Log,
    clock: Clock,
    asked: Callable[[Asked], None],
) -> tuple[Progress, str]:
    """Search until it is done, stopped or out of time; gives how far it is, and why not further."""

    def tell(one: Asked) -> None:
        asked(one)
        clock.check()

    search = Search(space, judge, memory=log, tell=tell)
    stopped = ""
    try:
        search.run()
    except KeyboardInterrupt:
        stopped = "it was stopped"
    except OutOfTime:
        stopped = f"the {clock.max_minutes:g} minutes are up"
    return search.progress, "" if search.progress.is_complete else stopped


def numbered(parent: Path, stem: str) -> Path:
    """Give the first folder `stem-N` that is free; it is not made."""
    number = 1
    while (parent / f"{stem}-{number}").exists():
        number += 1
    return parent / f"{stem}-{number}"
