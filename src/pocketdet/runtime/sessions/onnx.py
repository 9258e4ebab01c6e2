"""ONNX Runtime, on the CPU."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketdet.runtime.card import EMBEDDED_NAME, Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need

ERRORS_ONLY = 3


def open_session(path: Path, card: Card, threads: int) -> "OnnxSession":
    """Load an .onnx file."""
    return OnnxSession(_load(path, threads), card)


def embedded_card(path: Path) -> str | None:
    """Give the card that an .onnx file has among its metadata, if any."""
    return _load(path, 1).get_modelmeta().custom_metadata_map.get(EMBEDDED_NAME)


class OnnxSession:
    def __init__(self, session: Any, card: Card) -> None:
        self._session: Any = session
        self._input = card.input.name
        self._outputs = list(card.outputs.names)

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        found = self._session.run(self._outputs, {self._input: inputs})
        return dict(zip(self._outputs, found, strict=True))

    def close(self) -> None:
        self._session = None


def _load(path: Path, threads: int) -> Any:
    runtime = need("onnxruntime", extra="runtime", what="Running an .onnx file")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
