"""Settings as plain data and back, for checkpoints and for people to read."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, get_type_hints

from pocketdet.model.nearest_name import known_name
from pocketdet.train.settings import TrainSettings


def settings_to_data(settings: TrainSettings) -> dict[str, Any]:
    """Write every field out, so that a later change of a default changes no saved run."""
    return _plain(asdict(settings))


def settings_from_data(data: Mapping[str, Any]) -> TrainSettings:
    """Read what `settings_to_data` wrote; an unknown field raises `ValueError`."""
    return _read(TrainSettings, data)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _read(kind: Any, data: Any) -> Any:
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(data, Mapping):
        hints = get_type_hints(kind)
        for name in data:
            known_name(str(name), hints, f"field of `{kind.__name__}`")
        return kind(**{name: _read(hints[name], value) for name, value in data.items()})
    return tuple(_read(None, item) for item in data) if isinstance(data, list) else data
