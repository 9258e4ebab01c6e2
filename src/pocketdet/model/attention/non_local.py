"""The non-local block."""

from dataclasses import dataclass

from torch import Tensor, nn

from pocketdet.model.attention.protocol import reduced


@dataclass(frozen=True, kw_only=True)
class NonLocal:
    """Non-local block, embedded Gaussian (Wang et al. 2017, arXiv 1711.07971, equations 2 to 6).

    Every place reads all places: softmax over them of θ(x)ᵀφ(x), times g(x); 1×1 back to the
    map's channels, batch norm, and added to the map. θ, φ and g are 1×1 to channels /
    `reduction`. The norm's scale starts at zero, as in the paper (section 4.1): the block is the
    identity at first. Cost grows with the square of the number of places.

    θ, φ and g have no biases: the softmax takes φ's out, and the norm g's.
    """

    reduction: int = 2

    def build(self, channels: int) -> nn.Module:
        return _NonLocal(channels, reduced(channels, self.reduction))


class _NonLocal(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, hidden, 1, bias=False)
        self.phi = nn.Conv2d(channels, hidden, 1, bias=False)
        self.g = nn.Conv2d(channels, hidden, 1, bias=False)
        self.out = nn.Sequential(
            nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )
        nn.init.zeros_(self.out.get_parameter("1.weight"))

    def forward(self, features: Tensor) -> Tensor:
        asked = self.theta(features).flatten(2).transpose(1, 2)
        weights = (asked @ self.phi(features).flatten(2)).softmax(dim=-1)
        read = (weights @ self.g(features).flatten(2).transpose(1, 2)).transpose(1, 2)
        return features + self.out(read.unflatten(2, features.shape[-2:]))
