"""Settings as a YAML file that lists only what differs from the defaults."""

from pathlib import Path
from typing import Any

import yaml

from pocketdet.data.augment.settings import (
    LIGHT_AUGMENT,
    NO_AUGMENT,
    PELEE_AUGMENT,
    AugmentSettings,
)
from pocketdet.model.nearest_name import known_name
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_from_data, settings_to_data

AUGMENTATIONS = {"pelee": PELEE_AUGMENT, "light": LIGHT_AUGMENT, "none": NO_AUGMENT}


def read_settings(
    file: Path | None = None, *, no_ema: bool = False, **changes: Any
) -> TrainSettings:
    """Read a settings file, if there is one, and change what is given and not None.

    `no_ema` stands for `ema_decay=None`. The `settings.yaml` of a run is such a file.
    `augmentation` may be a name of `AUGMENTATIONS`, here and in the file. Raises `ValueError`
    that names the setting.
    """
    data = settings_to_data(TrainSettings()) | (_parse(file) if file else {})
    data |= {name: value for name, value in changes.items() if value is not None}
    data |= {"ema_decay": None} if no_ema else {}
    if isinstance(data["augmentation"], str):
        data["augmentation"] = settings_to_data(
            TrainSettings(augmentation=named_augmentation(data["augmentation"]))
        )["augmentation"]
    try:
        return settings_from_data(data)
    except ValueError as error:
        raise ValueError(f"{file}: {error}" if file else str(error)) from error


def named_augmentation(name: str) -> AugmentSettings:
    """Give the augmentation of a name; an unknown one raises `ValueError`."""
    return AUGMENTATIONS[known_name(name, AUGMENTATIONS, "augmentation")]


def _parse(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ValueError(f"`{file}` must be a settings file; there is no such file.")
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(data, dict | None):
        raise ValueError(f"{file} must be a mapping of settings; got {type(data).__name__}.")
    return data or {}
