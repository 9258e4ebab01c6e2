"""Parts for `benchmarks/guilty_sets.py`: sound ones, and ones with a fault that no shape shows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


def _over_the_batch(features: Tensor, gate: nn.Module) -> Tensor:
    return 20 * features * torch.rsqrt(features.square().sum().clamp(min=1e-12))


STEPS: dict[str, Callable[[Tensor, nn.Module], Tensor]] = {
    "gate": lambda features, gate: features * torch.sigmoid(gate(features)),
    "scale": lambda features, gate: features * 0.8,
    "residual": lambda features, gate: features + 0.1 * torch.tanh(features),
    "squashing": lambda features, gate: features * 1e-3 * torch.sigmoid(gate(features)),
    "mirrored": lambda features, gate: features.flip(-1),
    "rolled": lambda features, gate: features.roll((3, 3), (-2, -1)),
    "negative": lambda features, gate: torch.relu(-features),
    "over the batch": _over_the_batch,
    "swapped": lambda features, gate: features.roll(1, 0),
    "nothing": lambda features, gate: features * 0.0,
}


class Over(nn.Module):
    """Any function of the features, and a 1×1 convolution where it wants one."""

    def __init__(self, channels: int, kind: str) -> None:
        super().__init__()
        self.step = STEPS[kind]
        needs_gate = kind in ("gate", "squashing")
        self.gate = nn.Conv2d(channels, channels, 1) if needs_gate else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return self.step(features, self.gate)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What stands behind a place; `kind` says what it does."""

    kind: str = "gate"

    def build(self, channels: int) -> nn.Module:
        return Over(channels, self.kind)


SOUND = ("gate", "scale", "residual")
FAULTY = ("mirrored", "rolled", "swapped", "nothing", "over the batch", "negative", "squashing")
