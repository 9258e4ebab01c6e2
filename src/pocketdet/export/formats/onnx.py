"""ONNX. Traced, which takes a tenth of the newer exporter's time (decision 0096)."""

import io
from pathlib import Path
from typing import Any
import warnings

import torch

from pocketdet.export.formats.writer import Writer, example_input
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import EMBEDDED_NAME, Card
from pocketdet.runtime.card_file import card_to_json
from pocketdet.runtime.sessions.installed import need

OPSET = 18


def write_onnx(network: FileNetwork, card: Card, path: Path, settings: ExportSettings) -> None:
    """Write an .onnx file, for any number of pictures at once."""
    need("onnx", extra="onnx", what="Exporting to ONNX")
    model = _exported(network, card)
    if settings.precision == "fp16":
        model = _in_half(model)
    path.write_bytes(model.SerializeToString())


def embed_card(path: Path, card: Card) -> None:
    """Put the card among the file's metadata."""
    import onnx

    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = EMBEDDED_NAME, card_to_json(card)
    onnx.save(model, path)


WRITER = Writer(write=write_onnx, embed=embed_card)


def _exported(network: FileNetwork, card: Card) -> Any:
    from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError

    try:
        return _traced(network, card)
    except (UnsupportedOperatorError, OnnxExporterError):
        if card.outputs.names == ("detections",):
            raise
        return _captured(network, card)


@torch.no_grad()
def _traced(network: FileNetwork, card: Card) -> Any:
    import onnx

    names = [card.input.name, *card.outputs.names]
    first = {name: {0: "rows" if name == "detections" else "batch"} for name in names}
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing fixes the input's size, which is meant here
        torch.onnx.export(
            network,
            (example_input(card, batch=2),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=first,
        )
    return onnx.load_model_from_string(file.getvalue())


def _captured(network: FileNetwork, card: Card) -> Any:
    """Export by torch's newer exporter, which knows operators that tracing lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example_input(card, batch=2),),
            dynamo=True,
            verbose=False,
            input_names=[card.input.name],
            output_names=list(card.outputs.names),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        )
    assert program is not None
    return program.model_proto


def _in_half(model: Any) -> Any:
    """Store and compute in float16 between the input and the outputs, which stay as they are."""
    float16 = need(
        "onnxruntime.transformers.float16", extra="runtime", what="Exporting ONNX in fp16"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constants below float16's smallest number become that
        return float16.convert_float_to_float16(model, keep_io_types=True)
