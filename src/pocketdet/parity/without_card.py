"""An ONNX file that has no card: fed and read as the detector that it is compared with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketdet.parity.subject import Subject
from pocketdet.runtime import Card, FileOutputs, card_path, open_runner
from pocketdet.runtime.sessions.onnx import embedded_card


def has_card(path: Path) -> bool:
    """Say whether a card lies beside a file, or in it."""
    if card_path(path).is_file():
        return True
    return path.suffix == ".onnx" and embedded_card(path) is not None


def open_without_card(path: Path, like: Subject) -> Subject:
    """Open an ONNX file with the card of another, its input's and outputs' names its own.

    Outputs are told apart by name, else by shape. Raises `ValueError` where neither fits.
    """
    if path.suffix != ".onnx":
        raise ValueError(f"`{path}` has no card; only an .onnx file can be compared without one.")
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    given = next(value for value in graph.input if value.name not in constants)
    tensor = given.type.tensor_type
    takes_bytes = tensor.elem_type == onnx.TensorProto.UINT8
    own = replace(
        like.card.input,
        name=given.name,
        batch=tensor.shape.dim[0].dim_value or None,
        normalization="inside" if takes_bytes else "outside",
        dtype="uint8" if takes_bytes else "float32",
    )
    card = replace(like.card, runtime="onnx", input=own, outputs=_outputs(graph, like.card, path))
    return Subject(name=str(path), runner=open_runner(path, card=card), path=path, has_card=False)


def _outputs(graph: Any, card: Card, path: Path) -> FileOutputs:
    found = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)[1:]
        for value in graph.output
    }
    names: dict[str, Any] = {}
    for field, (name, shape) in zip(
        card.outputs.names, card.outputs.shapes(len(card.classes)).items(), strict=True
    ):
        free = set(found) - set(card.outputs.names) - set(names.values())
        alike = [other for other in found if other in free and found[other] == shape]
        if name not in found and len(alike) != 1:
            raise ValueError(
                f"{path} has no card, and none of its outputs, {_listed(found)}, is called "
                f"`{name}` or has the shape {shape}, which A's `{field}` has."
            )
        names[field] = name if name in found else alike[0]
    return replace(card.outputs, **names)


def _listed(found: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"`{name}` {shape}" for name, shape in found.items())
