"""Runtimes that may not be installed, and what to do about it."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def need(module: str, *, extra: str, what: str) -> Any:
    """Import a module, or say in one sentence which extra brings it.

    Only a missing module is reported so: one that is there and broken shows its own error.
    """
    if find_spec(module.split(".")[0]) is None:
        raise ValueError(
            f"{what} needs `{module.split('.')[0]}`, which is not installed: "
            f"pip install 'pocketdet[{extra}]'."
        )
    return import_module(module)


RUNTIMES = {
    "onnx": ("onnxruntime", "runtime", "an .onnx file"),
    "openvino": ("openvino", "openvino", "an OpenVINO file"),
    "ncnn": ("ncnn", "ncnn", "an ncnn file"),
    "litert": ("ai_edge_litert", "litert", "a .tflite file"),
    "executorch": ("executorch", "executorch", "a .pte file"),
    "torch": ("torch", "train", "a .pt2 file"),
}
"""The module of each runtime, the extra that brings it, and what it runs."""


def check_installed(runtime: str) -> None:
    """Raise `ValueError` where a runtime is missing, before long work whose result needs it."""
    module, extra, file = RUNTIMES[runtime]
    if find_spec(module) is None:
        raise ValueError(
            f"{file.capitalize()} is proven by running it, which needs `{module}`, and that is "
            f"not installed here: pip install 'pocketdet[{extra}]', or run pocketdet where it is."
        )
