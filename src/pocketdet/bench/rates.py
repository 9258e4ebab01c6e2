"""What this CPU does at best: matrix products and moving memory, measured.

Runs in a process of its own (`python -m pocketdet.bench.rates`), where the number of threads is
set before any library starts. Of several ways and sizes the quickest counts: a roofline is what
can be reached, not what one library reaches (Williams, Waterman and Patterson 2009).
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict, dataclass
import importlib.util
import json
import sys
from time import perf_counter
from typing import Any

import numpy as np

MATRIX_SIZES = (256, 512, 1024)
MEMORY_BYTES = tuple(2**power for power in (17, 19, 21, 23, 25, 27))  # 128 KiB to 128 MiB
SECONDS_EACH = 0.15


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Measured best rates on `num_threads` threads.

    - `fp32_macs`, `int8_macs`: multiply-accumulates a second of matrix products; `int8_macs` is
      None where no library for it is installed, and then fp32's stands for it;
    - `memory`: (bytes of the data that are walked through, bytes a second read and written),
      from what caches hold to what they do not.
    """

    num_threads: int
    fp32_macs: float
    int8_macs: float | None
    memory: tuple[tuple[int, float], ...]

    def macs_a_second(self, *, int8: bool) -> float:
        return (self.int8_macs or self.fp32_macs) if int8 else self.fp32_macs

    def bytes_a_second(self, num_bytes: int) -> float:
        """Give the rate for data of this size: the best of all sizes that are as large or larger.

        A layer whose data lie in a cache is as quick as that cache, and no slower than memory.
        """
        sizes = [size for size, _ in self.memory]
        first = min(bisect_left(sizes, num_bytes), len(sizes) - 1)
        return max(rate for _, rate in self.memory[first:])

    @property
    def memory_rate(self) -> float:
        """Bytes a second where caches do not help: of the largest data."""
        return self.memory[-1][1]

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "memory": [list(entry) for entry in self.memory]}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Rates":
        return cls(
            num_threads=data["num_threads"],
            fp32_macs=data["fp32_macs"],
            int8_macs=data["int8_macs"],
            memory=tuple((int(size), float(rate)) for size, rate in data["memory"]),
        )


def measure_rates(num_threads: int) -> Rates:
    """Measure; the caller has seen to it that libraries use so many threads."""
    ways = [_numpy_product, *([_torch_product] if _is_installed("torch") else [])]
    has_runtime = _is_installed("onnxruntime") and _is_installed("onnx")
    runtime_way = _runtime_product(num_threads)
    if has_runtime:
        ways.append(lambda size: runtime_way(size, "fp32"))
    return Rates(
        num_threads=num_threads,
        fp32_macs=_best_product(ways),
        int8_macs=_best_product([lambda size: runtime_way(size, "int8")]) if has_runtime else None,
        memory=tuple((size, _memory_rate(size, num_threads)) for size in MEMORY_BYTES),
    )


def _best_product(ways: list[Callable[[int], Callable[[], object]]]) -> float:
    return max(size**3 / _quickest(way(size)) for way in ways for size in MATRIX_SIZES)


def _quickest(call: Callable[[], object]) -> float:
    call()
    best, until = float("inf"), perf_counter() + SECONDS_EACH
    while perf_counter() < until:
        start = perf_counter()
        call()
        best = min(best, perf_counter() - start)
    return best


def _numpy_product(size: int) -> Callable[[], object]:
    first, second = np.ones((2, size, size), np.float32)
    result = np.empty_like(first)
    return lambda: np.matmul(first, second, out=result)


def _torch_product(size: int) -> Callable[[], object]:
    import torch

    first, second = torch.ones(2, size, size)
    result = torch.empty_like(first)
    return lambda: torch.mm(first, second, out=result)


def _runtime_product(num_threads: int) -> Callable[[int, str], Callable[[], object]]:
    """Products of a map with weights by ONNX Runtime, as its convolutions make them."""

    def prepare(size: int, precision: str) -> Callable[[], object]:
        from onnx import TensorProto, helper, numpy_helper
        import onnxruntime

        kinds = {
            "fp32": ("MatMul", np.float32, np.float32, TensorProto.FLOAT),
            "int8": ("MatMulInteger", np.uint8, np.int8, TensorProto.INT32),
        }
        operator, given_kind, weight_kind, result_kind = kinds[precision]
        weight = numpy_helper.from_array(np.ones((size, size), weight_kind), "weight")
        given_type = helper.np_dtype_to_tensor_dtype(np.dtype(given_kind))
        graph = helper.make_graph(
            [helper.make_node(operator, ["given", "weight"], ["result"])],
            "product",
            [helper.make_tensor_value_info("given", given_type, [size, size])],
            [helper.make_tensor_value_info("result", result_kind, [size, size])],
            [weight],
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        given = np.ones((size, size), given_kind)
        return lambda: session.run(None, {"given": given})

    return prepare


def _memory_rate(num_bytes: int, num_threads: int) -> float:
    """Give bytes a second of copying between the halves of a buffer, each thread its own part."""
    from concurrent.futures import ThreadPoolExecutor

    half = max(num_bytes // 2 // num_threads, 4096)
    repeats = max(1, 2**23 // num_bytes)
    buffers = [np.zeros((2, half), np.uint8) for _ in range(num_threads)]

    def copy(buffer: Any) -> None:
        for _ in range(repeats):
            np.copyto(buffer[1], buffer[0])

    with ThreadPoolExecutor(num_threads) as pool:
        seconds = _quickest(lambda: list(pool.map(copy, buffers)))
    return 2 * half * num_threads * repeats / seconds


def _is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_rates(int(sys.argv[1])).to_data()))
