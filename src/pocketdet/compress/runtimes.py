"""What a detector's latency is measured in: one class a runtime."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor

from pocketdet.export.raw_network import RawNetwork, raw_network_as_onnx
from pocketdet.model import Detector
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.quantized import QuantizedDetector
from pocketdet.model.quantized.onnx_form import onnx_form


class Runtime(Protocol):
    """A way to run the raw network, without preprocessing and NMS."""

    @property
    def name(self) -> str: ...

    @property
    def remedy(self) -> str:
        """What to do where it is not installed."""
        ...

    def is_installed(self) -> bool: ...

    def prepare(self, detector: Detector, threads: int) -> Callable[[], object]:
        """Give a call that runs one picture of the contract's size."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU, with each batch norm folded before."""

    name = "onnxruntime"
    remedy = "`pip install onnx onnxruntime`, or choose `eager`."

    def is_installed(self) -> bool:
        return find_spec("onnxruntime") is not None and find_spec("onnx") is not None

    def prepare(self, detector: Detector, threads: int) -> Callable[[], object]:
        import onnxruntime

        image = _picture(detector)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            detector_as_onnx(detector, image), options, providers=["CPUExecutionProvider"]
        )
        feed = {session.get_inputs()[0].name: image.numpy()}

        def call() -> object:
            return session.run(None, feed)

        return call


class OpenVino:
    """OpenVINO on the CPU, by way of the same ONNX file."""

    name = "openvino"
    remedy = "`pip install openvino onnx`, or choose `onnxruntime`."

    def is_installed(self) -> bool:
        return find_spec("openvino") is not None and find_spec("onnx") is not None

    def prepare(self, detector: Detector, threads: int) -> Callable[[], object]:
        openvino: Any = import_module("openvino")
        image = _picture(detector)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        model = core.read_model(model=detector_as_onnx(detector, image))
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        inputs = [image.numpy()]

        def call() -> object:
            return request.infer(inputs, share_inputs=True, share_outputs=True)

        return call


class Eager:
    """PyTorch as it is, in `channels_last`, with each batch norm folded before."""

    name = "eager"
    remedy = "it comes with torch."

    def is_installed(self) -> bool:
        return True

    def prepare(self, detector: Detector, threads: int) -> Callable[[], object]:
        network: Any = fold_batch_norm(detector).cpu()
        network.to(memory_format=torch.channels_last)
        image = _picture(detector).contiguous(memory_format=torch.channels_last)

        @torch.inference_mode()
        def call() -> object:
            return network(image)

        return call


def detector_as_onnx(detector: Detector, images: Tensor) -> bytes:
    """Export what gives raw class and box outputs, for a batch of this size.

    A quantised detector is written as the integers that it holds.
    """
    is_quantised = isinstance(detector, QuantizedDetector)
    written = onnx_form(detector) if is_quantised else fold_batch_norm(detector)
    return raw_network_as_onnx(RawNetwork(written.cpu()).eval(), images)


@contextmanager
def thread_count(threads: int) -> Generator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _picture(detector: Detector) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (1, 3, detector.contract.height, detector.contract.width)
    return torch.randn(shape, generator=generator)


RUNTIMES: tuple[Runtime, ...] = (OnnxRuntime(), OpenVino(), Eager())
"""In the order in which "auto" tries them: the one first that most people run."""
