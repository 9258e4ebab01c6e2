"""Integers of 2 to 8 bits, one behind the other without gaps."""

import numpy as np
import torch
from torch import Tensor


def pack(integers: Tensor, *, bits: int) -> bytes:
    """Write integers in [0, 2^bits), each in `bits` bits, most significant first."""
    numbers = integers.flatten().to(torch.uint8).cpu().numpy()
    each = np.unpackbits(numbers[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(each.flatten()).tobytes()


def unpack(data: bytes, count: int, *, bits: int) -> Tensor:
    """Read `count` integers that `pack` wrote, as uint8."""
    flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count * bits)
    each = np.zeros((count, 8), dtype=np.uint8)
    each[:, 8 - bits :] = flat.reshape(count, bits)
    return torch.from_numpy(np.packbits(each, axis=1)[:, 0].copy())


def packed_size(count: int, *, bits: int) -> int:
    """Give the bytes that `pack` writes for so many integers."""
    return -(-count * bits // 8)
