"""Call an exported file on its runtime with one picture's worth of input; no card is needed."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]


def file_call(path: Path, way: str, image: NDArray[np.uint8], *, threads: int) -> Call:
    """Load a file on a runtime; gives the call that is timed, with this (1, 3, H, W) picture.

    The picture is cast to what the file takes. A file that takes another size raises `ValueError`.
    """
    match way:
        case "onnxruntime":
            return _onnxruntime_call(path, image, threads)
        case "openvino":
            return _openvino_call(path, image, threads)
        case "ncnn":
            return _ncnn_call(path, image, threads)
        case _:
            raise ValueError(f"`way` must be one of onnxruntime, openvino, ncnn; got {way!r}.")


def _onnxruntime_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    (given, *_) = session.get_inputs()
    _refuse_other_size(path, given.shape, image.shape)
    kinds: dict[str, Any] = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16}
    inputs = {given.name: image.astype(kinds.get(given.type, np.float32))}
    return lambda: session.run(None, inputs)


def _openvino_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core: Any = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({model.input(0).get_any_name(): list(image.shape)})
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    inputs = image.astype(compiled.input(0).get_element_type().to_dtype())
    return lambda: request.infer([inputs], share_inputs=True, share_outputs=True)


def _ncnn_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    ncnn: Any = import_module("ncnn")
    net: Any = ncnn.Net()
    net.opt.num_threads = threads
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise ValueError(f"{path} and its .bin must be an ncnn network; ncnn refuses them.")
    given = ncnn.Mat(image[0].astype(np.float32)).clone()
    outputs = list(net.output_names())

    def call() -> object:
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], given)
        return [extractor.extract(name) for name in outputs]

    return call


def _refuse_other_size(path: Path, shape: Any, wanted: tuple[int, ...]) -> None:
    fixed = [
        isinstance(axis, int) and axis != length for axis, length in zip(shape, wanted, strict=True)
    ]
    if any(fixed):
        given = "×".join(str(axis) for axis in shape)
        raise ValueError(f"{path.name} takes {given} only; asked for {'×'.join(map(str, wanted))}.")
