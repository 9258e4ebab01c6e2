"""Two networks of nobody's config: the second has other modules, two of them broken."""

import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, features):
        return features * torch.sigmoid(self.conv(features))


class DeadGate(Gate):
    def forward(self, features):
        return features * torch.softmax(self.conv(features), dim=1)


class Over(nn.Module):
    """Normalises over the batch too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), 20.0))

    def forward(self, features):
        return features * torch.rsqrt(features.square().sum().clamp(min=1e-12)) * self.scale


class Block(nn.Module):
    def __init__(self, gate: nn.Module, norm: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.norm, self.gate, self.activation = norm, gate, activation

    def forward(self, features):
        return features + self.gate(self.activation(self.norm(self.conv(features))))


class Net(nn.Module):
    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, images):
        return self.head(self.blocks(self.stem(images)))


def good() -> Net:
    return Net(*(Block(Gate(16), nn.GroupNorm(4, 16), nn.ReLU()) for _ in range(3)))


def bad() -> Net:
    return Net(
        Block(Gate(16), nn.GroupNorm(8, 16), nn.SiLU()),
        Block(DeadGate(16), nn.GroupNorm(4, 16), nn.ReLU()),
        Block(Gate(16), Over(16), nn.ReLU()),
    )


def loss(model, inputs):
    target = inputs[:, :1, ::2, ::2] - inputs[:, 1:2, ::2, ::2]
    return (model(inputs) - target).square().mean()


def size(model):
    """No judge: it says neither yes nor no."""
    return sum(parameter.numel() for parameter in model.parameters())
