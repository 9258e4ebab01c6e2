"""One difference between two values of a config, and what it consists of."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

from pocketdet.bisect.neutral import neutral_fields
from pocketdet.bisect.space import CannotBeMade
from pocketdet.edit.alignment import align
from pocketdet.edit.config_changes import Change, are_parts, likeness, short
from pocketdet.model import NoAttention, PlacedAttention
from pocketdet.model.attention.placed import GROUPS, placed


class _Absent:
    """Stands where an item of a list is not there."""


ABSENT = _Absent()


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """A place of a config where two values differ; `needs` is a change it cannot be made without.

    `counts` are the numbers of stages and extra levels, which say what `after: [stages]` is.
    """

    where: str
    before: Any
    after: Any
    counts: Mapping[str, int]
    needs: Change | None = None

    @cached_property
    def change(self) -> Change:
        before, after = (
            None if isinstance(value, _Absent) else short(value)
            for value in (self.before, self.after)
        )
        return Change(field=self.where, before=before, after=after)

    @cached_property
    def inside(self) -> tuple["Difference", ...]:
        """The differences that this one consists of; none where it is the smallest."""
        return tuple(part for _, part in self.slots if isinstance(part, Difference))

    @cached_property
    def slots(self) -> tuple[tuple[str, Any], ...]:
        """The parts of the value: names, and differences or what is the same on both sides."""
        before, after = self.before, self.after
        if self.where == "attention" and before != after:
            return _places(self)
        if isinstance(before, tuple) and isinstance(after, tuple) and are_parts(before + after):
            return _items(self)
        if _is_part(before) and type(before) is type(after):
            return tuple(_fields(self, before, after))
        if isinstance(after, PlacedAttention) and isinstance(before, _Absent):
            return ()  # A place without a block is no place.
        if _is_part(after) and not isinstance(before, tuple):
            return _new_part(self)
        return ()

    def below(
        self, name: str, before: Any, after: Any, *, needs: Change | None = None
    ) -> "Difference":
        where = f"{self.where}{name}".removeprefix(".")
        needs = needs or self.needs
        return Difference(where=where, before=before, after=after, counts=self.counts, needs=needs)


def difference_of(before: Any, after: Any) -> Difference | None:
    """Give the difference of two whole configs, if there is one."""
    if before == after:
        return None
    counts = {"stages": len(after.stages), "extras": len(after.extras)}
    return Difference(where="", before=before, after=after, counts=counts)


def walk(difference: Difference) -> Iterator[Difference]:
    """Give a difference and all that it consists of, at any depth."""
    yield difference
    for part in difference.inside:
        yield from walk(part)


def combined(difference: Difference, chosen: Set[Change]) -> Any:
    """Make the value in which the chosen differences, of any depth, are as after the change."""
    if difference.where and difference.change in chosen:
        return difference.after
    if not any(part.change in chosen for part in walk(difference)):
        return difference.before
    values = [
        (name, combined(part, chosen) if isinstance(part, Difference) else part)
        for name, part in difference.slots
    ]
    if all(_is_made(part, value) for (_, part), (_, value) in zip(
        difference.slots, values, strict=True
    )):  # fmt: skip
        return difference.after
    return _joined(difference, values)


def _is_made(part: Any, value: Any) -> bool:
    return not isinstance(part, Difference) or value is part.after


def _joined(difference: Difference, values: Sequence[tuple[str, Any]]) -> Any:
    before, after = difference.before, difference.after
    if difference.where == "attention":
        blocks = tuple(value for _, value in values if not isinstance(value, _Absent))
        return blocks or NoAttention()
    if isinstance(before, tuple):
        return tuple(value for _, value in values if not isinstance(value, _Absent))
    given = {name: value for name, value in values if name}
    try:
        if type(before) is type(after):
            return replace(before, **given)
        whole = dict(values)[""]
        if whole is before:
            raise CannotBeMade(
                f"`{difference.where}` has to be {type(after).__name__} before its parts can "
                "change."
            )
        return replace(whole, **given)
    except ValueError as error:
        raise CannotBeMade(str(error)) from error


def _is_part(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _fields(of: Difference, before: Any, after: Any) -> Iterator[tuple[str, Any]]:
    for name in (field.name for field in fields(after)):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield name, of.below(f".{name}", old, new)


def _items(of: Difference) -> tuple[tuple[str, Any], ...]:
    """Align two lists; what was taken out and put in at the same place is one replacement."""
    slots: list[tuple[str, Any]] = []
    out: list[int] = []
    added: list[int] = []

    def replaced() -> None:
        for place in range(max(len(out), len(added))):
            old = of.before[out[place]] if place < len(out) else ABSENT
            new = of.after[added[place]] if place < len(added) else ABSENT
            index = added[place] if place < len(added) else out[place]
            slots.append((str(index), of.below(f"[{index}]", old, new)))
        out.clear()
        added.clear()

    for old, new in align(of.before, of.after, likeness):
        if old is None and new is not None:
            added.append(new)
        elif new is None and old is not None:
            out.append(old)
        elif old is not None and new is not None:
            replaced()
            same = of.before[old] == of.after[new]
            part = of.before[old] if same else of.below(f"[{new}]", of.before[old], of.after[new])
            slots.append((str(new), part))
    replaced()
    return tuple(slots)


def _places(of: Difference) -> tuple[tuple[str, Any], ...]:
    """Take attention apart into places; what stands at one place is one difference."""
    before, after = (_by_place(value, of.counts) for value in (of.before, of.after))
    slots: list[tuple[str, Any]] = []
    for place in dict.fromkeys([*before, *after]):
        old, new = before.get(place, ABSENT), after.get(place, ABSENT)
        part = old if old == new else of.below(f"[{place[0]}]", old, new)
        slots.append((f"{place[0]}-{place[1]}", part))
    return tuple(slots)


def _by_place(choice: Any, counts: Mapping[str, int]) -> dict[tuple[str, int], PlacedAttention]:
    found: dict[tuple[str, int], PlacedAttention] = {}
    for block in placed(choice):
        for place in (name for group in block.after for name in _members(group, counts)):
            number = sum(name == place for name, _ in found)
            found[place, number] = replace(block, after=(place,))
    return found


def _members(name: str, counts: Mapping[str, int]) -> list[str]:
    if name in counts:
        return [f"{GROUPS[name]}{index + 1}" for index in range(counts[name])]
    return [name]


def _new_part(of: Difference) -> tuple[tuple[str, Any], ...]:
    """Take a part that was not there apart: the part with its own parts neutral, and each."""
    neutral = neutral_fields(of.before, of.after)
    if not neutral:
        return ()
    bare = replace(of.after, **neutral)
    whole = of.below("", of.before, bare)
    parts = [
        (name, of.below(f".{name}", value, getattr(of.after, name), needs=whole.change))
        for name, value in neutral.items()
    ]
    return (("", whole), *parts)
