"""Every intermediate result of an exported file, in the order of its nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketdet.parity.taps.ncnn import ncnn_taps
from pocketdet.parity.taps.onnx import onnx_taps
from pocketdet.parity.taps.openvino import openvino_taps
from pocketdet.parity.taps.tap import Rounding, Tap

Look = Callable[[Path, NDArray[Any]], list[Tap]]

TAPS: dict[str, Look] = {".onnx": onnx_taps, ".xml": openvino_taps, ".param": ncnn_taps}
"""By the suffix of a file, what shows its results; other runtimes show none."""

__all__ = ["TAPS", "Look", "Rounding", "Tap"]
