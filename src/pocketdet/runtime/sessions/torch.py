"""PyTorch's own exported programs (`torch.export`), for those that have torch."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from numpy.typing import NDArray

from pocketdet.runtime.card import Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need


def open_session(path: Path, card: Card, threads: int) -> "ProgramSession":
    """Load a .pt2 file; the number of threads is that of the whole process."""
    torch = need("torch", extra="train", what="Running a .pt2 file")
    torch.set_num_threads(threads)
    if not is_zipfile(path):  # torch would fill the terminal before it says the same.
        raise ValueError(f"`{path}` cannot be loaded by torch: it is damaged, or no .pt2 file.")
    return ProgramSession(torch.export.load(path).module(), torch, card)


class ProgramSession:
    def __init__(self, program: Any, torch: Any, card: Card) -> None:
        self._program: Any = program
        self._torch: Any = torch
        self._outputs = card.outputs.names

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        with self._torch.inference_mode():
            found = self._program(self._torch.from_numpy(inputs))
        return {name: value.numpy() for name, value in zip(self._outputs, found, strict=True)}

    def close(self) -> None:
        self._program = None
