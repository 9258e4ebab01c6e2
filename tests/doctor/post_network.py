"""The network of the story: a spatial attention and an L2 norm, each right or wrong."""

import torch
from torch import Tensor, nn


class SpatialGate(nn.Module):
    def __init__(self, *, softmax_over_channels: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)
        self.softmax_over_channels = softmax_over_channels

    def forward(self, features: Tensor) -> Tensor:
        pooled = torch.cat([features.amax(1, keepdim=True), features.mean(1, keepdim=True)], 1)
        logits = self.conv(pooled)
        gate = (
            logits.softmax(dim=1)  # FAULT softmax-over-one
            if self.softmax_over_channels
            else logits.sigmoid()
        )
        return features * gate  # FAULT cancelled-gate


class L2Norm(nn.Module):
    def __init__(self, channels: int, *, over_everything: bool) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 20.0))
        self.over_everything = over_everything

    def forward(self, features: Tensor) -> Tensor:
        squares = features.pow(2)
        if self.over_everything:
            norm = squares.sum().sqrt()  # FAULT batch-mixing
        else:
            norm = squares.sum(1, keepdim=True).sqrt() + 1e-10
        return features / norm * self.gamma[None, :, None, None]


class PostNetwork(nn.Module):
    def __init__(
        self, *, softmax_over_channels: bool, over_everything: bool, gate_behind_norm: bool = False
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        )
        self.attention = SpatialGate(softmax_over_channels=softmax_over_channels)
        self.l2norm = L2Norm(32, over_everything=over_everything)
        self.head = nn.Conv2d(32, 24, 3, padding=1)
        self.gate_behind_norm = gate_behind_norm

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images)
        if self.gate_behind_norm:
            features = self.attention(self.l2norm(features))
        else:
            features = self.l2norm(self.attention(features))
        return self.head(features).permute(0, 2, 3, 1).reshape(len(images), -1, 6)
