"""From the names of a model, of its config and some settings to a patient."""

from collections.abc import Callable
import importlib
from typing import Any
import warnings

import torch
from torch import Tensor

from seeded.program import Patient

WILD: dict[str, Callable[[], Patient]] = {}
LABELS = 3


class Later:
    """A config within a config: made when the network is."""

    def __init__(self, name: str, **settings: Any) -> None:
        self.name = name
        self.settings = settings

    def made(self) -> Any:
        settings = {k: v.made() if isinstance(v, Later) else v for k, v in self.settings.items()}
        return getattr(importlib.import_module("transformers"), self.name)(**settings)


def images(size: tuple[int, int] | int, *, channels: int = 3) -> Tensor:
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def add(
    name: str,
    model: str,
    config: str,
    inputs: Callable[[], dict[str, Any]],
    *,
    loss: Callable[[Any, Any], Tensor] | None = None,
    allow: dict[str, str] | None = None,
    **settings: Any,
) -> None:
    def build() -> Patient:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = getattr(importlib.import_module("transformers"), model)(
                Later(config, **settings).made()
            )
        return Patient(model=net.eval(), inputs=inputs(), training_loss=loss, allow=allow or {})

    WILD[name] = build


def picture(
    name: str,
    model: str,
    config: str,
    *,
    size: tuple[int, int] | int = 64,
    channels: int = 3,
    loss: Callable[[Any, Any], Tensor] | None = None,
    **settings: Any,
) -> None:
    add(
        name,
        model,
        config,
        lambda: {"pixel_values": images(size, channels=channels)},
        loss=loss,
        **settings,
    )
