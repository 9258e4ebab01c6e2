"""What is searched: changes, how they lie inside one another, and what a set of them makes."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from pocketdet.edit.config_changes import Change

Subject = TypeVar("Subject", covariant=True)


class CannotBeMade(ValueError):
    """These changes cannot be made without others; the message says why."""


class Space(Protocol[Subject]):
    """All changes between two ends, from the coarsest to the smallest."""

    def changes(self) -> tuple[Change, ...]:
        """Give the coarsest changes: all of them together lead from one end to the other."""
        ...

    def inside(self, change: Change) -> tuple[Change, ...]:
        """Give what a change consists of, one level down; nothing for the smallest."""
        ...

    def needed_by(self, change: Change) -> Change | None:
        """Give the change that one cannot be made without, if there is one."""
        ...

    def make(self, changes: Iterable[Change]) -> Subject:
        """Make the healthy end with these changes, of any level; `CannotBeMade` says why not."""
        ...


def dependents(space: Space[object], change: Change, among: Iterable[Change]) -> Iterator[Change]:
    """Give those of some changes that cannot be made without one, however indirectly."""
    for other in among:
        needed = space.needed_by(other)
        while needed is not None and needed != change:
            needed = space.needed_by(needed)
        if needed == change:
            yield other
