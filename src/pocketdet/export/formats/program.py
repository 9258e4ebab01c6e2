"""PyTorch's own exported program (`torch.export`): a graph and tensors, no pickled code of ours."""

from pathlib import Path
import warnings

import torch

from pocketdet.export.formats.writer import Writer, example_input
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card


@torch.no_grad()
def write_program(network: FileNetwork, card: Card, path: Path, settings: ExportSettings) -> None:
    """Write a .pt2 file, for any number of pictures at once, or for the card's number."""
    batch = card.input.batch
    shapes = None if batch else ({0: torch.export.Dim("batch", min=1, max=1024)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network, (example_input(card, batch=batch or 2),), dynamic_shapes=shapes
        )
        torch.export.save(program, path)


WRITER = Writer(write=write_program)
