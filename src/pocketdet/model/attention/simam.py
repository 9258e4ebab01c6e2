"""Attention without parameters."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class SimAM:
    """SimAM (Yang et al. 2021, "A simple, parameter-free attention module", ICML, equation 5).

    Each value times sigmoid(d² / (4 (σ² + λ)) + 1/2), where d is its distance from the channel's
    mean over places, σ² = Σ d² / (places - 1) and λ is `regularization`. On a map of one place
    σ² is 0; the paper's code divides by zero there.
    """

    regularization: float = 1e-4

    def build(self, channels: int) -> nn.Module:
        return _SimAM(self.regularization)


class _SimAM(nn.Module):
    def __init__(self, regularization: float) -> None:
        super().__init__()
        self.regularization = regularization

    def forward(self, features: Tensor) -> Tensor:
        others = max(1, features.shape[-2] * features.shape[-1] - 1)
        squared = (features - features.mean(dim=(2, 3), keepdim=True)).square()
        variance = squared.sum(dim=(2, 3), keepdim=True) / others
        return features * (squared / (4 * (variance + self.regularization)) + 0.5).sigmoid()

    def extra_repr(self) -> str:
        return f"regularization={self.regularization:g}"
