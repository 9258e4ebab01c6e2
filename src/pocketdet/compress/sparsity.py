"""Which weights are zero together: one function a pattern."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Pattern = Literal["free", "2:4", "block"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What can become zero in one kernel.

    - `scores`: (n,) how much each would lose, the sum of absolute values;
    - `places`: (n, m) places in the flattened kernel that become zero with it.
    """

    scores: Tensor
    places: Tensor


def fits(weight: Tensor, pattern: Pattern, block: int) -> bool:
    """Say whether a kernel can have the pattern; what reads one channel each never takes part."""
    if weight.dim() < 2 or weight.shape[1] == 1:
        return False
    return {
        "free": True,
        "2:4": weight.shape[1] % 4 == 0,
        "block": weight.shape[0] % block == 0,
    }[pattern]


def candidates(weight: Tensor, pattern: Pattern, block: int) -> Candidates:
    """List what can become zero in a kernel of (out, in, …) weights.

    - "free": single weights;
    - "2:4": the two lesser of each four that follow each other along the inputs;
    - "block": `block` outputs that follow each other, at one place.
    """
    places = torch.arange(weight.numel(), device=weight.device).reshape(weight.shape)
    values = weight.detach().abs().reshape(-1)
    if pattern == "free":
        together = places.reshape(-1, 1)
    elif pattern == "block":
        together = places.reshape(len(weight) // block, block, -1).transpose(1, 2)
        together = together.reshape(-1, block)
    else:
        fours = places.movedim(1, -1).reshape(-1, 4)
        lesser = values[fours].topk(2, dim=1, largest=False).indices
        together = fours.gather(1, lesser)
    return Candidates(scores=values[together].sum(dim=1), places=together)


def mask_of(weight: Tensor, own: Candidates, chosen: Tensor) -> Tensor:
    """Give a kernel's mask: False where a chosen candidate (n,) puts a zero."""
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[own.places[chosen].reshape(-1)] = False
    return mask.reshape(weight.shape)


def lesser(scores: list[Tensor], share: float, *, together: bool) -> list[Tensor]:
    """Choose the lesser share of each list of scores, or of all `together`; (n,) masks."""
    if not together:
        return [_lesser(own, share) for own in scores]
    chosen = _lesser(torch.cat(scores), share)
    return list(chosen.split([len(own) for own in scores]))


def _lesser(scores: Tensor, share: float) -> Tensor:
    chosen = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    chosen[scores.argsort(stable=True)[: round(share * len(scores))]] = True
    return chosen
