"""A small network with a hole: a test says what stands in it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Report, examine

Alter = Callable[["Host", Tensor], Tensor]


class Host(nn.Module):
    """Features of 16 channels at half the size, altered, then 8 predictions a place."""

    def __init__(self, alter: Alter, **parts: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.to_one = nn.Conv2d(16, 1, 7, padding=3)
        self.to_all = nn.Conv2d(16, 16, 1)
        self.of_channels = nn.Linear(16, 16)
        self.head = nn.Conv2d(16, 8, 3, padding=1)
        for name, part in parts.items():
            self.add_module(name, part)
        self.alter = alter

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.norm(self.stem(images)))
        channels = self.of_channels(features.mean((2, 3)))[:, :, None, None]
        features = features + 0.1 * F.relu(self.to_all(features)) * self.to_one(features) * channels
        return self.head(self.alter(self, features))


def examined(alter: Alter, *only: str, size: int = 32, **parts: nn.Module) -> Report:
    torch.manual_seed(0)
    report = examine(Host(alter, **parts), torch.rand(2, 3, size, size), only=only)
    reasons = [r.reason for r in report.results if r.outcome not in ("found", "clear")]
    assert not reasons, reasons
    return report


def found(alter: Alter, check: str, **parts: nn.Module) -> list[str]:
    """Give the severities of what a check finds in an altered host."""
    return [finding.severity.value for finding in examined(alter, check, **parts).findings]
