"""OpenVINO, on the CPU."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketdet.runtime.card import Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need


def open_session(path: Path, card: Card, threads: int) -> "OpenVinoSession":
    """Load an .xml file, with its .bin beside it."""
    openvino = need("openvino", extra="openvino", what="Running an OpenVINO file")
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    return OpenVinoSession(compiled, card)


class OpenVinoSession:
    def __init__(self, compiled: Any, card: Card) -> None:
        self._compiled: Any = compiled
        self._request: Any = compiled.create_infer_request()
        self._outputs = card.outputs.names

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        found = self._request.infer([inputs], share_inputs=True)
        return {name: found[name].copy() for name in self._outputs}

    def close(self) -> None:
        self._request = self._compiled = None
