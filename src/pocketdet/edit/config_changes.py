"""The difference of two configs as a list of changes."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from pocketdet.edit.alignment import align
from pocketdet.model import DetectorConfig


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field that differs; what is None was added, or removed."""

    field: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.field}: added {self.after}"
        if self.after is None:
            return f"{self.field}: removed {self.before}"
        return f"{self.field}: {self.before} → {self.after}"


def changes_between(base: DetectorConfig, altered: DetectorConfig) -> tuple[Change, ...]:
    """List the smallest fields that differ; in lists, an inserted item shifts no other."""
    return tuple(_changes("", base, altered))


def _changes(where: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, tuple) and isinstance(after, tuple) and are_parts(before + after):
        yield from _item_changes(where, before, after)
    elif is_dataclass(before) and type(before) is type(after):
        for field in fields(before):
            path = f"{where}.{field.name}".removeprefix(".")
            yield from _changes(path, getattr(before, field.name), getattr(after, field.name))
    else:
        yield Change(field=where, before=short(before), after=short(after))


def are_parts(items: tuple[Any, ...]) -> bool:
    """Say whether a list is one of parts, which are compared one by one."""
    return all(is_dataclass(item) for item in items)


def _item_changes(where: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Change]:
    for old, new in align(before, after, likeness):
        if old is None and new is not None:
            yield Change(field=f"{where}[{new}]", before=None, after=short(after[new]))
        elif new is None and old is not None:
            yield Change(field=f"{where}[{old}]", before=short(before[old]), after=None)
        elif old is not None and new is not None:
            yield from _changes(f"{where}[{new}]", before[old], after[new])


def likeness(before: Any, after: Any) -> float:
    """Say how alike two parts are: 0 for other kinds, 1 + the share of equal fields for one."""
    if type(before) is not type(after):
        return 0.0
    names = [field.name for field in fields(before)]
    equal = sum(getattr(before, name) == getattr(after, name) for name in names)
    return 1.0 + equal / max(1, len(names))


def short(value: Any) -> str:
    """Write a part as in a config file, with the fields that differ from its defaults."""
    if isinstance(value, tuple):
        return "[" + ", ".join(short(item) for item in value) + "]"
    if not is_dataclass(value) or isinstance(value, type):
        return str(value)
    given = [
        f"{field.name}={short(getattr(value, field.name))}"
        for field in fields(value)
        if getattr(value, field.name) != field.default
    ]
    return type(value).__name__ + (f"({', '.join(given)})" if given else "")
