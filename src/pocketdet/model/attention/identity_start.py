"""An attention that changes nothing until it is trained."""

import torch
from torch import Tensor, nn


class IdentityStart(nn.Module):
    """x + α · (block(x) - x), with one α a channel that starts at zero.

    So the result is exactly x at first, and a trained detector keeps its AP when the block is
    inserted. The first step's gradient reaches α only, and from the second one everything; at α
    = 1 the block is the published one. (The idea: SkipInit, De and Smith 2020, 2002.10444.)
    """

    def __init__(self, block: nn.Module, channels: int) -> None:
        super().__init__()
        self.block = block
        self.alpha = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.alpha * (self.block(features) - features)
