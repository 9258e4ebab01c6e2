"""What the tests of checks on parameters and training share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine


def line_of(file: str, mark: str) -> str:
    """Give `file.py:12` of the one line that ends with this comment."""
    lines = Path(file).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, start=1) if line.endswith(f"# {mark}")]
    return f"{Path(file).name}:{number}"


def square(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images) - 1).square().mean()


def examined(
    check: str,
    model: nn.Module,
    *,
    size: int = 16,
    training_loss: Callable[..., Tensor] | None = square,
    **given: Any,
) -> list[Finding]:
    """Run one check; it must have run."""
    report = examine(
        model, torch.rand(2, 3, size, size), training_loss=training_loss, only=[check], **given
    )
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


def serious(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.where, str(f.severity)) for f in findings if f.severity != "info"]


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.norm(self.conv(features)).relu()
