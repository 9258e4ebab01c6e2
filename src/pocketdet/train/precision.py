"""Mixed precision: which number format the forward pass runs in, and fp16's loss scaling."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from pocketdet.train.settings import Precision

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Choose the format of the forward pass.

    "auto" is bfloat16, or float16 where a GPU has no bfloat16, on CUDA, and float32 elsewhere:
    without hardware for it a CPU is slower in bfloat16 (measured: 0.83 of float32's speed).
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "float16" and device.type != "cuda":
        raise ValueError(
            f'`precision` "float16" needs a CUDA GPU, whose loss scaling it relies on; got the '
            f'device {device.type}. Take "float32".'
        )
    return DTYPES[precision]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Run what is inside in `dtype`, as far as torch holds that to be safe."""
    enabled = dtype is not torch.float32
    return torch.autocast(device.type, dtype=dtype if enabled else None, enabled=enabled)


def build_scaler(device: torch.device, dtype: torch.dtype) -> torch.amp.GradScaler:
    """Build the loss scaling that float16 needs; for other formats it does nothing."""
    return torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
