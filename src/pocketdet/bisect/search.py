"""The repeated search: a guilty set is found and taken out, and the rest is judged again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

from pocketdet.bisect.log import Memory
from pocketdet.bisect.minimal import most_for_one, most_judgements, smallest_guilty_set
from pocketdet.bisect.space import CannotBeMade, Space, dependents
from pocketdet.bisect.verdict import Judge, Judgement, Verdict
from pocketdet.edit.config_changes import Change

Subject = TypeVar("Subject")


@dataclass(frozen=True, kw_only=True)
class GuiltySet:
    """Changes that are faulty together, and the judgement of them alone.

    `alone` is what was judged: the changes, and those that they cannot be made without.
    """

    changes: tuple[Change, ...]
    judgement: Judgement
    alone: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One judgement, as the search tells it: `number` counts those that had to be made.

    `most_for_this` bounds what is left if one more change is guilty, `most_in_all` if all are;
    both hold where every set can be judged.
    """

    round: int
    changes: tuple[Change, ...]
    judgement: Judgement
    number: int
    most_for_this: int
    most_in_all: int


@dataclass(kw_only=True)
class Progress:
    """How far a search is, at any moment, so that an interrupted one has something to give.

    - `found`: guilty sets, complete; `rest`: the changes that are still to be judged or are sound;
    - `smallest`: the smallest faulty set of the search that is under way;
    - `ended`: why there is nothing left to do, a sentence; empty until then;
    - `left_out`: changes that cannot be made without a guilty one.
    """

    found: list[GuiltySet] = field(default_factory=list[GuiltySet])
    rest: tuple[Change, ...] = ()
    smallest: tuple[Change, ...] = ()
    left_out: tuple[Change, ...] = ()
    asked: list[Asked] = field(default_factory=list[Asked])
    undecided: int = 0
    ended: str = ""

    @property
    def guilty(self) -> tuple[Change, ...]:
        return tuple(change for guilty in self.found for change in guilty.changes)

    @property
    def is_complete(self) -> bool:
        return bool(self.ended)


class Search(Generic[Subject]):
    """Searches a space until the rest is healthy; `progress` is up to date at any moment.

    `memory` remembers judgements, also those of an earlier process.
    """

    def __init__(
        self,
        space: Space[Subject],
        judge: Judge[Subject],
        *,
        memory: Memory,
        tell: Callable[[Asked], Any] = lambda asked: None,
    ) -> None:
        self._space, self._judge, self._memory, self._tell = space, judge, memory, tell
        self._round = 0
        self._left = (0, 0)
        self._seen: dict[frozenset[Change], Judgement] = {}
        self._num_judged = 0
        self.progress = Progress(rest=space.changes())

    def run(self) -> Progress:
        """Search; whatever the judge raises leaves `progress` as far as it is."""
        progress = self.progress
        while progress.rest:
            self._begin_round(progress.rest)
            opening = self._opening(progress.rest)
            if not opening.is_faulty:
                progress.ended = self._ending(opening)
                return progress
            guilty = self._downwards(smallest_guilty_set(progress.rest, self._is_faulty))
            self._take_out(self._without_needed(guilty))
        progress.ended = "Every change was found guilty."
        return progress

    def _begin_round(self, rest: tuple[Change, ...]) -> None:
        self._round += 1
        self._seen = {frozenset(): Judgement(verdict=Verdict.HEALTHY, why="the healthy end")}
        self._left = (most_for_one(len(rest)), most_judgements(len(rest)))

    def _ending(self, opening: Judgement) -> str:
        if not self.progress.found:
            return f"The altered end is not faulty: {opening.why}"
        if opening.verdict is Verdict.HEALTHY:
            return f"The rest is healthy: {opening.why}"
        return f"The rest is {opening.verdict.value}: {opening.why}"

    def _opening(self, rest: tuple[Change, ...]) -> Judgement:
        try:
            subject = self._space.make(rest)
        except CannotBeMade as error:
            judgement = Judgement(verdict=Verdict.UNTESTABLE, why=str(error))
        else:
            start = monotonic()
            known = self._memory.recall(self._round, rest)
            judgement = self._judge.open(subject, known=known)
            judgement = self._memory.keep(self._round, rest, judgement, monotonic() - start)
        if judgement.is_faulty:
            self.progress.smallest = rest
        self._note(rest, judgement)
        return judgement

    def _is_faulty(self, changes: tuple[Change, ...]) -> bool | None:
        judgement = self._judged(changes)
        if judgement.is_faulty and len(changes) < len(self.progress.smallest):
            self.progress.smallest = changes
        return {Verdict.FAULTY: True, Verdict.HEALTHY: False}.get(judgement.verdict)

    def _judged(self, changes: tuple[Change, ...]) -> Judgement:
        key = frozenset(changes)
        if key in self._seen:
            return self._seen[key]
        judgement = self._memory.recall(self._round, changes)
        if judgement is None:
            judgement = self._newly_judged(changes)
        self._note(changes, judgement)
        return judgement

    def _newly_judged(self, changes: tuple[Change, ...]) -> Judgement:
        start = monotonic()
        try:
            subject = self._space.make(changes)
        except CannotBeMade as error:
            judgement = Judgement(verdict=Verdict.UNTESTABLE, why=str(error))
        else:
            judgement = self._judge(subject)
        return self._memory.keep(self._round, changes, judgement, monotonic() - start)

    def _note(self, changes: tuple[Change, ...], judgement: Judgement) -> None:
        self._seen[frozenset(changes)] = judgement
        if judgement.verdict is not Verdict.UNTESTABLE:
            self._num_judged += 1
            one, all_of_them = self._left
            self._left = (max(0, one - 1), max(0, all_of_them - 1))
        self.progress.undecided += judgement.verdict is Verdict.UNDECIDED
        asked = Asked(
            round=self._round,
            changes=changes,
            judgement=judgement,
            number=self._num_judged,
            most_for_this=self._left[0],
            most_in_all=self._left[1],
        )
        self.progress.asked.append(asked)
        self._tell(asked)

    def _downwards(self, guilty: tuple[Change, ...]) -> tuple[Change, ...]:
        """Go one level down, and further, as long as that is where a fault is."""
        while True:
            parts = tuple(p for c in guilty for p in (self._space.inside(c) or (c,)))
            if parts == guilty:
                return guilty
            # Made of all of its parts, a set is what it was: nothing has to be judged again.
            self._seen[frozenset(parts)] = self._judged(guilty)
            extra = most_judgements(len(parts))
            self._left = (most_for_one(len(parts)), self._left[1] + extra)
            self.progress.smallest = parts
            guilty = smallest_guilty_set(parts, self._is_faulty)

    def _without_needed(self, guilty: tuple[Change, ...]) -> tuple[Change, ...]:
        """Leave out what is there only because another guilty change cannot be made without it."""
        needed = {self._space.needed_by(change) for change in guilty}
        return tuple(change for change in guilty if change not in needed) or guilty

    def _take_out(self, guilty: tuple[Change, ...]) -> None:
        progress = self.progress
        rest = tuple(self._opened(progress.rest, guilty))
        gone = {d for change in guilty for d in dependents(self._space, change, rest)} - {*guilty}
        rest = tuple(change for change in rest if change not in guilty and change not in gone)
        alone = self._seen[frozenset(progress.smallest)]
        progress.found.append(GuiltySet(changes=guilty, judgement=alone, alone=progress.smallest))
        more = self._cannot_stay(rest)
        progress.left_out = (*progress.left_out, *gone, *more)
        progress.rest = tuple(change for change in rest if change not in more)
        progress.smallest = ()

    def _opened(self, rest: Iterable[Change], guilty: tuple[Change, ...]) -> Iterable[Change]:
        """Put in place of a change what it consists of, where a guilty one is inside it."""
        for change in rest:
            inside = self._space.inside(change)
            if change not in guilty and self._holds(change, guilty):
                yield from self._opened(inside, guilty)
            else:
                yield change

    def _holds(self, change: Change, guilty: tuple[Change, ...]) -> bool:
        inside = self._space.inside(change)
        return any(part in guilty or self._holds(part, guilty) for part in inside)

    def _cannot_stay(self, rest: tuple[Change, ...]) -> tuple[Change, ...]:
        """Find the change without which the rest can be made, where with it it cannot."""
        if self._can_be_made(rest):
            return ()
        for change in rest:
            if self._can_be_made(tuple(other for other in rest if other != change)):
                return (change,)
        return ()

    def _can_be_made(self, changes: tuple[Change, ...]) -> bool:
        try:
            self._space.make(changes)
        except CannotBeMade:
            return False
        return True
