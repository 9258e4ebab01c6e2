"""Which extra brings a module that is not installed."""

_TRAIN = ("hotcoco", "matplotlib", "scipy", "sklearn", "tensorboard", "torch", "yaml")
_EXTRA_OF = {
    **dict.fromkeys(_TRAIN, "train"),
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "runtime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "pnnx": "ncnn",
}


def extra_with(module: str) -> str | None:
    """Name the extra of this package that installs a module, or None for any other module."""
    return _EXTRA_OF.get(module.split(".")[0])
