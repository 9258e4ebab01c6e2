"""What `--how` says: a step's name, steps in a YAML file, or steps written out in place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pocketdet.compress.catalogue import steps_from_data
from pocketdet.compress.step import Step
from pocketdet.model.own_code import importable_from


def read_how(texts: Sequence[str]) -> tuple[Step, ...]:
    """Read all that was given, in its order, as one chain of steps."""
    if not texts:
        raise ValueError("`--how` must name at least one step; it was not given.")
    return tuple(step for text in texts for step in _read(text))


def load_steps(file: Path) -> tuple[Step, ...]:
    """Read the steps of a YAML file; those of the user's own are looked for beside it too."""
    if not file.is_file():
        raise ValueError(f"`{file}` must be a file of steps; there is no such file.")
    with importable_from(file.parent):
        return steps_from_data(_parse(_text_of(file), str(file)))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no YAML: it is no text in UTF-8.") from error


def _read(text: str) -> tuple[Step, ...]:
    if text.endswith((".yaml", ".yml")):
        return load_steps(Path(text))
    return steps_from_data(_parse(text, "`--how`"))


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{where} is no YAML: {str(error).splitlines()[0]}.") from error
