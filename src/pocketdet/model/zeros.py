"""Weights that are mostly zero, written without their zeros."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

KEY = "without_zeros"

WORTH_IT = 0.1
"""Least share of zeros; a bit for each value is written instead of them."""


def without_zeros(data: Mapping[str, Any]) -> dict[str, Any]:
    """Move float tensors with many zeros out of `weights`, to `KEY`, as bits and other values."""
    packed: dict[str, dict[str, Any]] = {}
    weights: dict[str, Any] = {}
    for name, tensor in data["weights"].items():
        if _is_worth_it(tensor):
            packed[name] = _pack(tensor)
        else:
            weights[name] = tensor
    return {**data, "weights": weights, **({KEY: packed} if packed else {})}


def with_zeros(data: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `without_zeros`, exactly."""
    packed = data.get(KEY, {})
    restored = {name: _unpack(entry) for name, entry in packed.items()}
    rest = {name: value for name, value in data.items() if name != KEY}
    return {**rest, "weights": {**data["weights"], **restored}}


def _is_worth_it(tensor: Any) -> bool:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.dim() < 2:
        return False
    return int((tensor == 0).sum()) > WORTH_IT * tensor.numel()


def _pack(tensor: Tensor) -> dict[str, Any]:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    is_there = flat != 0
    bits = torch.from_numpy(np.packbits(is_there.numpy()))
    return {"shape": list(tensor.shape), "there": bits, "values": flat[is_there].clone()}


def _unpack(entry: Mapping[str, Any]) -> Tensor:
    shape = torch.Size(entry["shape"])
    bits = np.unpackbits(entry["there"].numpy(), count=shape.numel())
    flat = entry["values"].new_zeros(shape.numel())
    flat[torch.from_numpy(bits).bool()] = entry["values"]
    return flat.reshape(shape)
