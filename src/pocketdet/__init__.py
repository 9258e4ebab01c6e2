"""pocketdet builds, alters, trains, examines, compresses and ships lightweight detectors.

    from dataclasses import replace
    from pocketdet import build, recipes
    from pocketdet.model import CBAM

    detector = build(replace(recipes.PELEE, attention=CBAM()), num_classes=3)

Names are imported when first used, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketdet import recipes
    from pocketdet.config_file import load_config
    from pocketdet.model import Detector, DetectorConfig, build

__version__ = "0.1.0"

__all__ = ["Detector", "DetectorConfig", "build", "load_config", "recipes"]

_HOMES = {
    "Detector": "pocketdet.model",
    "DetectorConfig": "pocketdet.model",
    "build": "pocketdet.model",
    "load_config": "pocketdet.config_file",
}


def __getattr__(name: str) -> Any:
    if name == "recipes":
        return import_module("pocketdet.recipes")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module `pocketdet` has no attribute `{name}`")
