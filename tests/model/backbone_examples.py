"""An example of every listed choice, so that a new choice is tested by being listed."""

from dataclasses import MISSING, fields
from typing import Any

REQUIRED: dict[str, Any] = {"num_layers": 2, "channels": 16}
"""What stands for a field without a default, by its name."""


def example(kind: type, **chosen: Any) -> Any:
    """Make a choice with its defaults; what has none comes from `REQUIRED`."""
    names = {field.name for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    unknown = needed - set(REQUIRED) - set(chosen)
    assert not unknown, f"add {unknown} of {kind.__name__} to REQUIRED in {__file__}"
    given = {name: REQUIRED[name] for name in needed - set(chosen)}
    return kind(**given, **{name: value for name, value in chosen.items() if name in names})


def name_of(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(value)
