"""Whole published classifiers out of our stages: their parameters and multiply-accumulates."""

import pytest
import torch
from torch import nn

from pocketdet.model import (
    BatchNorm,
    ConvStem,
    DenseStage,
    Ghost,
    InvertedResidual,
    Layers,
    RandWire,
    RepVGG,
    WattsStrogatz,
)
from pocketdet.model.cost import count_macs, count_parameters
from pocketdet.model.fold import fold_batch_norm

LAYERS = Layers(norm=BatchNorm())


class Classifier(nn.Module):
    """A row of stages, further layers, the mean over places and a linear layer to 1000 classes."""

    def __init__(self, first: nn.Module, channels: int, stages, *last: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(first)
        for stage in stages:
            built = stage.build(channels, LAYERS)
            self.features.append(built)
            channels = built.eval()(torch.zeros(1, channels, 8, 8)).shape[1]
        self.last = nn.Sequential(*last)
        self.classify = nn.LazyLinear(1000)
        self(torch.zeros(1, 3, 224, 224))

    def forward(self, images):
        return self.classify(
            self.last(self.features(images).mean(dim=(2, 3), keepdim=True)).flatten(1)
        )


def figures(network: nn.Module) -> tuple[int, int]:
    return count_parameters(network), count_macs(network, torch.zeros(1, 3, 224, 224))


def test_mobilenet_v2() -> None:
    """3.4 M and 300 M in Sandler et al. 2018, table 4; 3,504,872 exactly."""
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
            (6, 160, 3, 2), (6, 320, 1, 1)]  # fmt: skip
    stages = [
        InvertedResidual(expansion=t, channels=c, num_layers=n, stride=s) for t, c, n, s in rows
    ]
    network = Classifier(LAYERS.conv(3, 32, 3, stride=2), 32, stages)
    network.features.append(LAYERS.conv(320, 1280, 1).eval())
    network.classify = nn.Linear(1280, 1000)
    parameters, macs = figures(network)
    assert parameters == 3_504_872
    assert macs == pytest.approx(300e6, rel=0.005)


def test_mobilenet_v3_large() -> None:
    """5.4 M and 219 M in Howard et al. 2019, table 3. The widths are those of its table 1."""
    rows = [(3, 16, 16, 0, 1), (3, 64, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 4, 2),
            (5, 120, 40, 4, 1), (5, 120, 40, 4, 1), (3, 240, 80, 0, 2), (3, 200, 80, 0, 1),
            (3, 184, 80, 0, 1), (3, 184, 80, 0, 1), (3, 480, 112, 4, 1), (3, 672, 112, 4, 1),
            (5, 672, 160, 4, 2), (5, 960, 160, 4, 1), (5, 960, 160, 4, 1)]  # fmt: skip
    widths = [16, *(row[2] for row in rows)]
    stages = [
        InvertedResidual(channels=c, expansion=wide / before, kernel_size=k, squeeze=q, stride=s)
        for before, (k, wide, c, q, s) in zip(widths, rows, strict=False)
    ]
    network = Classifier(LAYERS.conv(3, 16, 3, stride=2), 16, stages)
    network.features.append(LAYERS.conv(160, 960, 1).eval())
    network.last = nn.Sequential(nn.Conv2d(960, 1280, 1))
    network.classify = nn.Linear(1280, 1000)
    parameters, macs = figures(network)
    assert parameters == pytest.approx(5.4e6, rel=0.02)
    assert macs == pytest.approx(219e6, rel=0.02)


def test_ghostnet() -> None:
    """5.2 M and 141 M in Han et al. 2019, table 7 (its ratio 1.0); widths of its table 6."""
    rows = [(3, 16, 16, 0, 1), (3, 48, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 4, 2),
            (5, 120, 40, 4, 1), (3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1),
            (3, 184, 80, 0, 1), (3, 480, 112, 4, 1), (3, 672, 112, 4, 1), (5, 672, 160, 4, 2),
            (5, 960, 160, 0, 1), (5, 960, 160, 4, 1), (5, 960, 160, 0, 1), (5, 960, 160, 4, 1)]  # fmt: skip
    widths = [16, *(row[2] for row in rows)]
    stages = [
        Ghost(channels=c, expansion=wide / before, kernel_size=k, squeeze=q, stride=s)
        for before, (k, wide, c, q, s) in zip(widths, rows, strict=False)
    ]
    network = Classifier(LAYERS.conv(3, 16, 3, stride=2), 16, stages)
    network.features.append(LAYERS.conv(160, 960, 1).eval())
    network.last = nn.Sequential(nn.Conv2d(960, 1280, 1))
    network.classify = nn.Linear(1280, 1000)
    parameters, macs = figures(network)
    assert parameters == pytest.approx(5.2e6, rel=0.01)
    assert macs == pytest.approx(141e6, rel=0.02)


def test_densenet_121() -> None:
    """7,978,856 parameters; Huang et al. 2016, table 1. It has no transition at its end."""
    stages = [DenseStage(num_layers=n, stride=s) for n, s in ((6, 1), (12, 2), (24, 2), (16, 2))]
    stem = nn.Sequential(LAYERS.conv(3, 64, 7, stride=2), nn.MaxPool2d(3, 2, 1))
    network = Classifier(stem, 64, stages)
    network.features[-1].transition = nn.BatchNorm2d(1024).eval()
    network.classify = nn.Linear(1024, 1000)
    parameters, macs = figures(network)
    assert parameters == 7_978_856
    assert macs == pytest.approx(2.83e9, rel=0.02)


def test_repvgg_a0() -> None:
    """9.11 M in training, 8.30 M and 1.4 G folded: Ding et al. 2021, table 4 and its code."""
    rows = [(48, 2), (96, 4), (192, 14), (1280, 1)]
    stages = [RepVGG(channels=c, num_layers=n) for c, n in rows]
    network = Classifier(RepVGG(channels=48).build(3, LAYERS).eval(), 48, stages)
    assert count_parameters(network) == pytest.approx(9.11e6, rel=0.002)
    parameters, macs = figures(fold_batch_norm(network))
    assert parameters == pytest.approx(8.30e6, rel=0.002)
    assert macs == pytest.approx(1.4e9, rel=0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_randwire_in_the_small_regime(seed) -> None:
    """5.6 ± 0.1 M and 583 ± 6.2 M in Xie et al. 2019, table 2, WS(4, 0.75), C = 78."""
    graphs = [WattsStrogatz(seed=3 * seed + number) for number in range(3)]
    stages = [
        RandWire(channels=channels, graph=graph)
        for channels, graph in zip((78, 156, 312), graphs, strict=True)
    ]
    network = Classifier(ConvStem(channels=(39, 78)).build(LAYERS).eval(), 78, stages)
    network.features.append(LAYERS.conv(312, 1280, 1).eval())
    network.classify = nn.Linear(1280, 1000)
    parameters, macs = figures(network)
    assert abs(parameters - 5.6e6) < 0.15e6
    assert abs(macs - 583e6) < 3 * 6.2e6
