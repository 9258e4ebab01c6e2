"""Parts for `benchmarks/guilty_sets.py`: sound ones, and ones with a fault that no shape shows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STEPS: dict[str, Callable[[Tensor, nn.Module], Tensor]] = {
    "gate": lambda features, gate: features * torch.sigmoid(gate(features)),
    "scale": lambda features, gate: features * 0.8,
    "residual": lambda features, gate: features + 0.1 * torch.tanh(features),
    "squashing": lambda features, gate: features * 1e-3 * torch.sigmoid(gate(features)),
    "shifted": lambda features, gate: 0.9 * features + 0.05,
    "mirrored": lambda features, gate: features.flip(-1),
    "upside down": lambda features, gate: features.flip(-2),
    "transposed": lambda features, gate: features.mT,
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


SOUND = ("gate", "scale", "residual", "squashing", "shifted")
FAULTY = ("mirrored", "upside down", "transposed", "swapped", "nothing")
"""Each of the second costs the detector of the benchmark most of its AP50 wherever it stands, and
none of the first does (`guilty_sets.py --check`): the next layer's norm takes a scale out again.
No two of the second undo each other; the same one twice would."""
