"""The network alone, from its normalised input to raw outputs: for timing and comparing."""

import io
from typing import Any
import warnings

import torch
from torch import Tensor, nn

from pocketdet.model import Detector

OPSET = 18


class RawNetwork(nn.Module):
    """A detector from the normalised input to its two raw outputs, without the constant places."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.detector(images)
        return outputs[0], outputs[1]


@torch.no_grad()
def raw_network_as_onnx(network: nn.Module, images: Tensor) -> bytes:
    """Export a network for inputs of this very size.

    Tracing takes a tenth of the newer exporter's time, which is taken for operators that tracing
    lacks (a resize to the nearest place, for one).
    """
    from torch.onnx.errors import UnsupportedOperatorError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing fixes the input's size, which is meant here
        try:
            file: Any = io.BytesIO()
            torch.onnx.export(network, (images,), file, dynamo=False, opset_version=OPSET)
            return file.getvalue()
        except UnsupportedOperatorError:
            program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
    assert program is not None
    return program.model_proto.SerializeToString()
