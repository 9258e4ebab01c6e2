"""OpenVINO, by way of ONNX."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pocketdet.export.formats.onnx import write_onnx
from pocketdet.export.formats.writer import Writer
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card
from pocketdet.runtime.sessions.installed import need


def write_openvino(network: FileNetwork, card: Card, path: Path, settings: ExportSettings) -> None:
    """Write an .xml file and a .bin; fp16 stores the weights so, and the runtime widens them."""
    from dataclasses import replace

    openvino = need("openvino", extra="openvino", what="Exporting to OpenVINO")
    with TemporaryDirectory() as folder:
        onnx_file = Path(folder) / "model.onnx"
        in_full = replace(settings, precision="fp32") if settings.precision == "fp16" else settings
        write_onnx(network, card, onnx_file, in_full)
        model = openvino.convert_model(onnx_file)
    openvino.save_model(model, path, compress_to_fp16=settings.precision == "fp16")


WRITER = Writer(write=write_openvino)
