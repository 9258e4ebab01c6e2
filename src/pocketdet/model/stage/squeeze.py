"""The channel gate inside mobile blocks."""

from torch import Tensor, nn
import torch.nn.functional as F


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation as in MobileNetV3 (Howard et al. 2019, 1905.02244, section 5.3).

    Each channel times min(max(x + 3, 0), 6) / 6 of two 1×1 convolutions (with ReLU between) of
    the channels' means over all places.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3), keepdim=True)
        return features * F.hardsigmoid(self.excite(F.relu(self.squeeze(means))))
