"""LiteRT (TensorFlow Lite's runtime), on the CPU by XNNPACK."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketdet.runtime.card import Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need


def open_session(path: Path, card: Card, threads: int) -> "LiteRtSession":
    """Load a .tflite file."""
    litert = need("ai_edge_litert.interpreter", extra="litert", what="Running a .tflite file")
    try:
        interpreter = litert.Interpreter(model_path=str(path), num_threads=threads)
    except ValueError as error:
        raise ValueError(f"`{path}` cannot be loaded by litert: {error}.") from error
    return LiteRtSession(interpreter, card)


class LiteRtSession:
    """The card's outputs are in the order of the file's signature."""

    def __init__(self, interpreter: Any, card: Card) -> None:
        self._interpreter: Any = interpreter
        interpreter.allocate_tensors()
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = {
            name: details["index"]
            for name, details in zip(
                card.outputs.names, in_signature_order(interpreter), strict=True
            )
        }

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(at) for name, at in self._outputs.items()}

    def close(self) -> None:
        self._interpreter = None


def in_signature_order(interpreter: Any) -> list[dict[str, Any]]:
    """Give the outputs' details in the order in which the network returned them.

    `get_output_details` has an order of its own.
    """
    details = {entry["name"]: entry for entry in interpreter.get_output_details()}
    signatures = interpreter.get_signature_list()
    if not signatures:
        return list(details.values())
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    named = runner.get_output_details()
    return [details[named[name]["name"]] for name in sorted(named)]
