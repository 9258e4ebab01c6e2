"""The settled copy is one that pictures could have trained: norms give what they are to give."""

import torch
from torch import nn

from pocketdet.doctor.observations.settled import settled
from pocketdet.doctor.trace import Call


def deep(num_layers: int = 24) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 2, 1, bias=False)]
    for _ in range(num_layers):
        layers += [nn.BatchNorm2d(16), nn.SiLU(), nn.Conv2d(16, 16, 3, 1, 1, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(16))


def test_norms_are_settled_on_images_like_the_given_ones() -> None:
    torch.manual_seed(0)
    smooth = nn.functional.interpolate(torch.rand(4, 3, 4, 4), size=(64, 64), mode="bilinear")
    model = settled(deep(), Call(smooth))
    with torch.no_grad():
        assert 0.5 < float(model(smooth).std()) < 2
