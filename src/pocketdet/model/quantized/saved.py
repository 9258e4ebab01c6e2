"""A quantised detector as a checkpoint that is as small as its bits.

All tensors lie in one run of bytes: first every layer's integers, packed, then everything that is
not on a grid (biases, scales, codebooks, what stayed in float) as it is in memory. Names and
shapes follow from the config and the bits, so only their order is relied on.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketdet.model.quantized.behaviours import key_of
from pocketdet.model.quantized.codebook import Codebook
from pocketdet.model.quantized.detector import BitPlan, QuantizedDetector, WeightCode
from pocketdet.model.quantized.packing import pack, packed_size, unpack
from pocketdet.model.quantized.uniform import WeightGrid

VERSION = 1
KEY = "quantized"


def bits_to_data(bits: BitPlan) -> dict[str, Any]:
    """Give how a detector is held as plain data."""
    return {
        "version": VERSION,
        "weights": {
            name: [code.bits, code.codebook, code.groups] for name, code in bits.weights.items()
        },
        "activation_bits": bits.activation_bits,
        "activations": dict(bits.activations),
    }


def bits_from_data(data: Mapping[str, Any]) -> BitPlan:
    """Read what `bits_to_data` wrote; another version raises `ValueError`."""
    if data["version"] != VERSION:
        raise ValueError(
            f"the checkpoint's quantisation is of version {data['version']}, and this version of "
            f"pocketdet reads version {VERSION}; use the pocketdet that wrote it."
        )
    return BitPlan(
        weights={
            str(name): WeightCode(bits=bits, codebook=codebook, groups=groups)
            for name, (bits, codebook, groups) in data["weights"].items()
        },
        activation_bits=data["activation_bits"],
        activations=dict(data["activations"]),
    )


def packed_weights(detector: QuantizedDetector) -> Tensor:
    """Give everything that the detector has learned, as (bytes,) uint8."""
    parts = [
        pack(_from_zero(detector, name), bits=detector.weight_grid(name).bits)
        for name in _kernels(detector)
    ]
    parts += [
        tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        for tensor in _others(detector).values()
    ]
    return torch.from_numpy(np.frombuffer(b"".join(parts), dtype=np.uint8).copy())


@torch.no_grad()
def unpack_weights(detector: QuantizedDetector, data: Tensor) -> None:
    """Put back what `packed_weights` gave; raises `ValueError` where the length does not fit."""
    reader = _Reader(data.numpy().tobytes())
    integers: dict[str, Tensor] = {}
    for name in _kernels(detector):
        weight = detector.get_submodule(name).get_parameter("weight")
        bits = detector.weight_grid(name).bits
        packed = reader.take(packed_size(weight.numel(), bits=bits))
        integers[name] = unpack(packed, weight.numel(), bits=bits).reshape(weight.shape)
    for tensor in _others(detector).values():
        raw = reader.take(tensor.numel() * tensor.element_size())
        values = torch.frombuffer(bytearray(raw), dtype=tensor.dtype)
        tensor.copy_(values.reshape(tensor.shape))
    reader.check_end()
    for name, numbers in integers.items():
        grid = detector.weight_grid(name)
        if isinstance(grid, WeightGrid):
            numbers = (numbers.to(torch.int16) - grid.high).to(torch.int8)
        detector.get_submodule(name).get_parameter("weight").copy_(grid.values(numbers))


def quantized_to_data(detector: QuantizedDetector) -> dict[str, Any]:
    """Give the entries of a checkpoint that are a quantised detector's own."""
    return {
        KEY: bits_to_data(detector.bits),
        "weights": {"packed": packed_weights(detector)},
    }


def _kernels(detector: QuantizedDetector) -> tuple[str, ...]:
    return tuple(name for name in detector.bits.weights if key_of(name) in detector.weight_grids)


def _from_zero(detector: QuantizedDetector, name: str) -> Tensor:
    grid = detector.weight_grid(name)
    integers = grid.integers(detector.get_submodule(name).get_parameter("weight"))
    return integers if isinstance(grid, Codebook) else integers.to(torch.int16) + grid.high


def _others(detector: QuantizedDetector) -> dict[str, Tensor]:
    held = {f"{name}.weight" for name in _kernels(detector)}
    tensors = detector.state_dict()
    return {name: tensors[name] for name in sorted(tensors) if name not in held}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.place : self.place + count]
        if len(part) < count:
            raise ValueError(_UNFIT)
        self.place += count
        return part

    def check_end(self) -> None:
        if self.place != len(self.data):
            raise ValueError(_UNFIT)


_UNFIT = (
    "the checkpoint's packed weights are not as long as its config and bits say; the file is "
    "damaged, or the code of a part has changed since it was saved."
)
