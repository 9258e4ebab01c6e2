"""What writes files for one runtime."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card


def nothing_to_embed(path: Path, card: Card) -> None:
    """Leave the file as it is: its format has no place for a card."""


@dataclass(frozen=True, kw_only=True)
class Writer:
    """How a runtime's file is written.

    - `write`: (network, card, path, settings) writes the file;
    - `batch`: pictures at once in these files, or None for any number;
    - `embed`: puts the finished card into the file, too, where the format has a place for it.
    """

    write: Callable[[FileNetwork, Card, Path, ExportSettings], None]
    batch: int | None = None
    embed: Callable[[Path, Card], None] = nothing_to_embed


def example_input(card: Card, *, batch: int) -> Tensor:
    """Give pictures as the file takes them, to trace the network with."""
    contract = card.contract
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        256, (batch, 3, contract.height, contract.width), generator=generator, dtype=torch.uint8
    )
    if card.input.normalization == "outside":
        return contract.normalize(pixels)
    return pixels if card.input.dtype == "uint8" else pixels.float()
