from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pocketdet.bench.layer_cost import LayerCost, least_seconds
from pocketdet.bench.models import write_plain_onnx
from pocketdet.bench.onnx_layers import onnx_layers
from pocketdet.bench.rates import Rates
from pocketdet.bench.torch_layers import torch_layers
from pocketdet.model import TopDown, build
from pocketdet.model.cost import count_macs
from pocketdet.model.fold import fold_batch_norm
from pocketdet.recipes import PELEE_TINY

RATES = Rates(
    num_threads=1, fp32_macs=10e9, int8_macs=40e9, memory=((1000, 100e9), (1_000_000, 10e9))
)


def layer(macs: int, values: int) -> LayerCost:
    return LayerCost(name="a", kind="conv", shape=(1,), macs=macs, weights=0, activations=values)


def test_the_least_time_is_that_of_the_slower_of_multiplying_and_moving() -> None:
    assert layer(10**9, 10).least_seconds(RATES, int8=False) == pytest.approx(0.1)
    assert layer(1, 10**7).least_seconds(RATES, int8=False) == pytest.approx(4e7 / 10e9)
    assert layer(10**9, 10).least_seconds(RATES, int8=True) == pytest.approx(0.025)


def test_data_that_fit_a_cache_move_at_its_rate() -> None:
    assert RATES.bytes_a_second(500) == 100e9
    assert RATES.bytes_a_second(5000) == 10e9
    assert RATES.bytes_a_second(10**9) == 10e9


def test_layers_add_up_to_the_macs_of_the_whole() -> None:
    detector = build(PELEE_TINY, num_classes=3).eval()
    images = torch.zeros(1, 3, 160, 192)
    layers = torch_layers(detector, images)
    assert sum(each.macs for each in layers) == count_macs(detector, images)
    assert least_seconds(layers, RATES, int8=False) > 0


def test_a_transposed_convolution_is_counted_by_its_input() -> None:
    network = nn.ConvTranspose2d(4, 6, 2, stride=2, bias=False)
    (only,) = torch_layers(network, torch.zeros(1, 4, 5, 5))
    assert only.macs == 4 * 5 * 5 * 6 * 4


def test_the_file_has_the_layers_of_the_network(tmp_path: Path) -> None:
    detector = fold_batch_norm(build(PELEE_TINY, num_classes=3))
    file = write_plain_onnx(detector, tmp_path / "plain.onnx", (160, 192))
    of_file = onnx_layers(file, input_shape=(1, 3, 160, 192))
    of_network = torch_layers(detector, torch.zeros(1, 3, 160, 192))
    assert sum(e.macs for e in of_file) == sum(e.macs for e in of_network)
    assert sum(e.weights for e in of_file) == sum(e.weights for e in of_network)


def test_a_detector_whose_resize_tracing_does_not_know_is_written_too(tmp_path: Path):
    config = replace(PELEE_TINY, neck=TopDown(channels=16))
    file = write_plain_onnx(build(config, num_classes=3).eval(), tmp_path / "neck.onnx", (96, 96))
    assert onnx_layers(file, input_shape=(1, 3, 96, 96))
