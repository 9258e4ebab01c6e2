"""A space of letters, some of which are faulty together, and a judge that counts."""

from collections.abc import Iterable, Sequence

from pocketdet.bisect.space import CannotBeMade
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.edit import Change


def change(name: str) -> Change:
    return Change(field=name, before="0", after="1")


class Letters:
    """`together`: sets of names of which either all or none must be there."""

    def __init__(self, names: str, *, together: Sequence[str] = (), inside=None) -> None:
        self.names, self.together = names, together
        self.parts = inside or {}

    def changes(self) -> tuple[Change, ...]:
        return tuple(change(name) for name in self.names)

    def inside(self, of: Change) -> tuple[Change, ...]:
        return tuple(change(of.field + name) for name in self.parts.get(of.field, ""))

    def needed_by(self, of: Change) -> Change | None:
        return None

    def make(self, changes: Iterable[Change]) -> frozenset[str]:
        names = {leaf for c in changes for leaf in self._leaves(c.field)}
        for group in self.together:
            if 0 < len(names & set(group)) < len(group):
                raise CannotBeMade(f"{group} go together")
        return frozenset(names)

    def _leaves(self, name: str) -> Iterable[str]:
        for part in self.parts.get(name, ""):
            yield from self._leaves(name + part)
        if name not in self.parts:
            yield name


class Counting:
    """Faulty whenever one of the guilty sets is there as a whole."""

    def __init__(self, guilty: Sequence[Iterable[str]]) -> None:
        self.guilty = [frozenset(names) for names in guilty]
        self.asked: list[frozenset[str]] = []

    def open(self, subject: frozenset[str], *, known: Judgement | None = None) -> Judgement:
        return known or self(subject)

    def __call__(self, subject: frozenset[str]) -> Judgement:
        self.asked.append(subject)
        is_faulty = any(names <= subject for names in self.guilty)
        return Judgement(verdict=Verdict.FAULTY if is_faulty else Verdict.HEALTHY, why="toy")
