"""Call an exported file on its runtime with one picture's worth of input; no card is needed."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.bench.precision import precision_of

Call = Callable[[], object]
Load = Callable[[Path, NDArray[np.uint8], int], Call]


def file_call(path: Path, way: str, image: NDArray[np.uint8], *, threads: int) -> Call:
    """Load a file on a runtime; gives the call that is timed, with this (1, 3, H, W) picture.

    The picture is cast to what the file takes. A file that takes another size raises `ValueError`.
    """
    if way not in LOADERS:
        raise ValueError(f"`way` must be one of {', '.join(LOADERS)}; got {way!r}.")
    return LOADERS[way](path, image, threads)


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
    if precision_of(path) == "fp32":
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise ValueError(f"{path} and its .bin must be an ncnn network; ncnn refuses them.")
    # A Mat does not keep the array alive that it was made from; its copy owns its memory.
    picture = image[0].astype(np.float32)
    given = ncnn.Mat(picture).clone()
    outputs, name_of_input = list(net.output_names()), net.input_names()[0]

    def call() -> object:
        extractor = net.create_extractor()
        extractor.input(name_of_input, given)
        for name in outputs:
            extractor.extract(name)
        return None

    return call


def _litert_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    litert: Any = import_module("ai_edge_litert.interpreter")
    interpreter: Any = litert.Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    (given, *_) = interpreter.get_input_details()
    _refuse_other_size(path, given["shape"].tolist(), image.shape)
    interpreter.set_tensor(given["index"], image.astype(given["dtype"]))
    return interpreter.invoke


def _program_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    program: Any = torch.export.load(path)
    given: Any = next(node for node in program.graph.nodes if node.name in program_inputs(program))
    value = given.meta["val"]
    inputs = torch.from_numpy(image).to(value.dtype)
    module: Any = program.module()

    def call() -> object:
        with torch.inference_mode():
            return module(inputs)

    return call


def program_inputs(program: Any) -> tuple[str, ...]:
    """Name what a `torch.export` program is called with, without its weights."""
    return tuple(program.graph_signature.user_inputs)


def _executorch_call(path: Path, image: NDArray[np.uint8], threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    runtime: Any = import_module("executorch.runtime").Runtime.get()
    method: Any = runtime.load_program(path).load_method("forward")
    is_bytes = method.metadata.input_tensor_meta(0).dtype() == 0
    inputs = [torch.from_numpy(image if is_bytes else image.astype(np.float32))]
    return lambda: method.execute(inputs)


LOADERS: dict[str, Load] = {
    "onnxruntime": _onnxruntime_call,
    "openvino": _openvino_call,
    "ncnn": _ncnn_call,
    "litert": _litert_call,
    "torch": _program_call,
    "executorch": _executorch_call,
}


def _refuse_other_size(path: Path, shape: Any, wanted: tuple[int, ...]) -> None:
    fixed = [
        isinstance(axis, int) and axis not in (-1, length)
        for axis, length in zip(shape, wanted, strict=True)
    ]
    if any(fixed):
        given = "×".join(str(axis) for axis in shape)
        raise ValueError(f"{path.name} takes {given} only; asked for {'×'.join(map(str, wanted))}.")
