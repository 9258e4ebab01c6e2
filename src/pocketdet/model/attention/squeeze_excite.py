"""Squeeze-and-excitation."""

from dataclasses import dataclass

from torch import Tensor, nn

from pocketdet.model.attention.protocol import reduced


@dataclass(frozen=True, kw_only=True)
class SE:
    """Squeeze-and-excitation (Hu et al. 2017, arXiv 1709.01507, equation 3).

    Each channel times sigmoid(W2 · relu(W1 · mean over places)), with `reduction` times fewer
    channels between; no biases, as in the equation.
    """

    reduction: int = 16

    def build(self, channels: int) -> nn.Module:
        return _SqueezeExcite(channels, reduced(channels, self.reduction))


class _SqueezeExcite(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.excite = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features * self.excite(features.mean(dim=(2, 3)))[:, :, None, None]
