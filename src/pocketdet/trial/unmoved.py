"""Weights that a training did not move: what nothing of the loss depends on never learns.

Weight decay shrinks a matrix by one factor, whatever it is for, so a matrix that is still a
multiple of its start has learnt nothing. This shows after a few steps and with one seed, where a
loss needs many.
"""

import torch
from torch import nn

LEAST = 8
"""A tensor with fewer numbers may stay a multiple of its start by accident."""

STILL = 2e-5
"""Of its length. On the networks of examples/the_month, 80 steps: rounding 3e-7, and 2e-3 what the
slowest layer learns, that of a level on which hardly any object lies."""


@torch.no_grad()
def unmoved_weights(trained: nn.Module, start: nn.Module) -> tuple[str, ...]:
    """Give the names of the matrices and kernels that are what they were, but for weight decay.

    `start` has the same parameters, before the first step. What is frozen is left out, and so is
    what may stand still on purpose: scales, biases and norms.
    """
    before = dict(start.named_parameters())
    return tuple(
        name
        for name, weight in trained.named_parameters()
        if weight.requires_grad
        and weight.dim() > 1
        and max(weight.shape) < weight.numel() >= LEAST
        and _is_still(weight.cpu().double(), before[name].double())
    )


def _is_still(weight: torch.Tensor, start: torch.Tensor) -> bool:
    length = float(start.square().sum())
    if length == 0:
        return not bool(weight.any())
    factor = float((weight * start).sum()) / length
    moved = float((weight - factor * start).norm())
    return moved <= STILL * length**0.5
