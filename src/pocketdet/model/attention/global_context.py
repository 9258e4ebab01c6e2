"""The global context block."""

from dataclasses import dataclass

from torch import Tensor, nn

from pocketdet.model.attention.protocol import reduced

LEAST_HIDDEN = 8
"""A layer norm over one channel gives a constant, and over two only signs."""


@dataclass(frozen=True, kw_only=True)
class GlobalContext:
    """Global context block (Cao et al. 2019, arXiv 1904.11492, equation 8).

    One weight a place, softmax over all places of a 1×1 convolution, averages the map; the mean
    passes 1×1 to channels / `reduction` (at least 8), layer norm, ReLU and 1×1 back, and is
    added to every place. The last convolution starts at zero, as in the authors' code: the block
    is the identity at first.

    The convolution before the softmax has no bias, since a softmax takes it out.
    """

    reduction: int = 16

    def build(self, channels: int) -> nn.Module:
        return _GlobalContext(channels, reduced(channels, self.reduction, least=LEAST_HIDDEN))


class _GlobalContext(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(channels, 1, 1, bias=False)
        self.squeeze = nn.Linear(channels, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.activation = nn.ReLU(inplace=True)
        self.expand = nn.Linear(hidden, channels)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, features: Tensor) -> Tensor:
        weights = self.weigh(features).flatten(2).softmax(dim=-1)
        context = (features.flatten(2) @ weights.transpose(1, 2)).squeeze(-1)
        added = self.expand(self.activation(self.norm(self.squeeze(context))))
        return features + added[:, :, None, None]
