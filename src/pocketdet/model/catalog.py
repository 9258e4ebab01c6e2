"""Every named choice of every part, for those who look for one."""

from dataclasses import MISSING, dataclass, fields, is_dataclass
import inspect
from typing import Any

import yaml

from pocketdet.model.config_data import CHOICES, known_name


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One choice: `summary` is its docstring's first line, `text` all of it.

    `defaults` gives each field's default as a config file states it (of a part its name), and None
    where a field has none.
    """

    part: str
    name: str
    summary: str
    text: str
    defaults: dict[str, str | None]


def catalog() -> dict[str, list[Entry]]:
    """Give the choices of each part (`stem`, `stage`, `conv` …), in the order of their lists."""
    return {
        protocol.__name__.lower(): [_entry(protocol.__name__.lower(), kind) for kind in kinds]
        for protocol, kinds in CHOICES.items()
    }


def entries_named(name: str) -> list[Entry]:
    """Give all choices of a part, or the one choice of that name; `ValueError` for neither."""
    parts = catalog()
    choices = {entry.name: entry for entries in parts.values() for entry in entries}
    known_name(name, [*parts, *choices], "part or choice")
    return parts[name] if name in parts else [choices[name]]


def _entry(part: str, kind: Any) -> Entry:
    text = inspect.getdoc(kind) or ""
    return Entry(
        part=part,
        name=kind.__name__,
        summary=text.split("\n", 1)[0],
        text=text,
        defaults={
            field.name: None if field.default is MISSING else _shown(field.default)
            for field in fields(kind)
        },
    )


def _shown(value: Any) -> str:
    if is_dataclass(value):
        return type(value).__name__
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return yaml.safe_dump(value).removesuffix("\n").removesuffix("\n...")
