"""One file a runtime: how its file is written."""

from pocketdet.export.formats.writer import Writer
from pocketdet.runtime.card import RuntimeName


def writer_for(runtime: RuntimeName) -> Writer:
    """Give what writes a runtime's files; nothing of the runtime is imported yet."""
    match runtime:
        case "onnx":
            from pocketdet.export.formats.onnx import WRITER
        case "openvino":
            from pocketdet.export.formats.openvino import WRITER
        case "ncnn":
            from pocketdet.export.formats.ncnn import WRITER
        case "litert":
            from pocketdet.export.formats.litert import WRITER
        case "executorch":
            from pocketdet.export.formats.executorch import WRITER
        case "torch":
            from pocketdet.export.formats.program import WRITER
    return WRITER
