"""A detector's raw outputs from ONNX Runtime."""

import io
import warnings

import onnxruntime
import torch
from torch import Tensor, nn


class RawTensors(nn.Module):
    """What a detector says, without the places, which are constants."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.detector(images)
        return outputs[0], outputs[1]


@torch.no_grad()
def largest_difference(detector: nn.Module, images: Tensor, *, by_tracing: bool = True) -> float:
    """Export in evaluation mode, run both, and give the largest absolute difference.

    Tracing takes a tenth of the time of torch's newer exporter (1 to 3 s against 15 to 50), but does
    not know every operator.
    """
    network = RawTensors(detector).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing fixes the input's size, which is meant here
        model = traced(network, images) if by_tracing else captured(network, images)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return max(
        float((torch.from_numpy(one) - other).abs().max())
        for one, other in zip(found, network(images), strict=True)
    )


@torch.no_grad()
def own_movement(detector: nn.Module, images: Tensor) -> float:
    """Say how far the outputs move when each value of the input is changed by a millionth.

    No other runtime can be expected to agree much better than that.
    """
    network = RawTensors(detector).eval()
    before = network(images)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    after = network(images * (1 + 1e-6 * noise))
    return max(float((a - b).abs().max()) for a, b in zip(after, before, strict=True))


def traced(network: nn.Module, images: Tensor) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(network, (images,), file, dynamo=False, opset_version=18)
    return file.getvalue()


def captured(network: nn.Module, images: Tensor) -> bytes:
    program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
    return program.model_proto.SerializeToString()
