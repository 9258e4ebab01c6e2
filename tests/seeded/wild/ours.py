"""Our own recipes, as pocketdet builds them."""

from functools import partial

import torch

from pocketdet import build, recipes
from pocketdet.model import DetectorConfig
from seeded.program import Patient
from seeded.wild.build import WILD

SIDE = 160


def _recipe(name: str) -> Patient:
    model = build(getattr(recipes, name), num_classes=3)
    return Patient(model=model.eval(), inputs=torch.rand(2, 3, SIDE, SIDE))


for _name in sorted(n for n, value in vars(recipes).items() if isinstance(value, DetectorConfig)):
    WILD[f"pocketdet {_name}"] = partial(_recipe, _name)
