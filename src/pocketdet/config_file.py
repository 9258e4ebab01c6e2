"""A detector as a YAML file that lists only what differs from a recipe."""

from pathlib import Path
from typing import Any

import yaml

from pocketdet import recipes
from pocketdet.model.config import DetectorConfig
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.nearest_name import known_name
from pocketdet.model.own_code import importable_from


def find_config(name_or_file: str | Path) -> DetectorConfig:
    """Give a recipe by its name, or read a config file; raises `ValueError` for neither."""
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        return load_config(path)
    return recipes.names()[known_name(str(name_or_file), recipes.names(), "recipe or .yaml file")]


def load_config(path: Path) -> DetectorConfig:
    """Read a config file: `base:` is a recipe or another file; the rest is what differs.

    `width:` and `depth:` then multiply every width and number of layers of what results.

    Parts of the user's own (`attention: my_parts:SpatialGate`) are looked for beside the file too.
    """
    return _load(path, seen=())


def save_config(config: DetectorConfig, path: Path) -> None:
    """Write every field of a config, so that the file stands without any recipe."""
    text = yaml.safe_dump(config_to_data(config), sort_keys=False, default_flow_style=None)
    path.write_text(text, encoding="utf-8")


def _load(path: Path, *, seen: tuple[Path, ...]) -> DetectorConfig:
    if path.resolve() in seen:
        raise ValueError(f"`base` of {path} leads back to {path}; a config cannot be its own base.")
    data = _parse(path)
    base = _base(data.pop("base", "PELEE"), path, seen=(*seen, path.resolve()))
    with importable_from(path.parent):
        try:
            return config_from_data(data, base=base)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"`{path}` must be a config file; there is no such file.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no YAML: it is no text in UTF-8.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {str(error).splitlines()[0]}.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError(f"{path} must be a mapping of fields; got {type(data).__name__}.")
    return data


def _base(base: Any, path: Path, *, seen: tuple[Path, ...]) -> DetectorConfig:
    if str(base).endswith((".yaml", ".yml")):
        return _load(path.parent / str(base), seen=seen)
    found = recipes.names()
    return found[known_name(str(base), found, f"recipe for `base` in {path}")]
