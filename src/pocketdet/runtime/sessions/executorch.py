"""ExecuTorch, on the CPU by XNNPACK. Its Python runtime brings torch with it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.runtime.card import Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need


def open_session(path: Path, card: Card, threads: int) -> "ExecuTorchSession":
    """Load a .pte file."""
    runtime = need("executorch.runtime", extra="executorch", what="Running a .pte file")
    torch = need("torch", extra="executorch", what="Running a .pte file")
    torch.set_num_threads(threads)
    program = runtime.Runtime.get().load_program(path)
    return ExecuTorchSession(program.load_method("forward"), torch, card)


class ExecuTorchSession:
    def __init__(self, method: Any, torch: Any, card: Card) -> None:
        self._method: Any = method
        self._torch: Any = torch
        self._outputs = card.outputs.names

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        found = self._method.execute([self._torch.from_numpy(inputs)])
        return {
            name: np.array(value.numpy()) for name, value in zip(self._outputs, found, strict=True)
        }

    def close(self) -> None:
        self._method = None
