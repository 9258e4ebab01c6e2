"""Every runtime that compression times in gives what the detector gives."""

from typing import Any

from compress_data import tiny_detector
import numpy as np
import pytest
import torch

from pocketdet.compress.latency import measure_latencies
from pocketdet.compress.runtimes import OpenVino


def test_openvino_is_timed_and_computes_the_same() -> None:
    pytest.importorskip("openvino")
    detector = tiny_detector()
    found: Any = OpenVino().prepare(detector, 1)()
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = detector(image)[:2]
    for value, other in zip(found.values(), wanted, strict=True):
        assert np.allclose(value, other.numpy(), atol=1e-4)
    latency = measure_latencies({"a": detector}, runtime="openvino", rounds=2)["a"]
    assert (latency.runtime, latency.runs) == ("openvino", 2)
    assert 0 < latency.least <= latency.p10 <= latency.median
