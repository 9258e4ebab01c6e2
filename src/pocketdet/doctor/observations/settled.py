"""The network as it would be after a little training: nothing hidden by how it starts."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call

NUM_BATCHES = 4
SPREAD = 0.1
MIRRORED = ((-1, -2), (-1,), (-2,))  # axes of places


def settled(model: nn.Module, batch: Call) -> nn.Module:
    """Give a copy in evaluation mode that structural questions may be asked of.

    - Parameters that are all zero (a zero-initialised gate, biases) get small random values: a
      residual branch behind a gate of zero would otherwise be invisible.
    - BatchNorm layers that have never seen a batch get the statistics of a few: with mean 0 and
      variance 1 deep branches are dead in evaluation mode. Trained statistics stay.
    """
    patient = copy_of(model).eval()
    wake_zeros(patient)
    calibrate(patient, batch)
    return patient


@torch.no_grad()
def wake_zeros(model: nn.Module) -> None:
    """Draw parameters that are all zero anew, with a spread of 0.1."""
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.numel() and not parameter.any():
            parameter.normal_(std=SPREAD)


@torch.no_grad()
def calibrate(model: nn.Module, batch: Call) -> None:
    """Give BatchNorm layers without statistics those of a few batches; no other mode changes."""
    fresh = [module for module in model.modules() if _has_no_statistics(module)]
    if not fresh:
        return
    momenta = [module.momentum for module in fresh]
    for module in fresh:
        module.train()
        module.momentum = None  # pyright: ignore[reportArgumentType] - torch's way to say "all batches alike"
    try:
        for number in range(NUM_BATCHES):
            call = batch if number == 0 else _like(batch, number)
            call(model)
    finally:
        for module, momentum in zip(fresh, momenta, strict=True):
            module.eval()
            module.momentum = momentum


def _like(batch: Call, number: int) -> Call:
    """Give another batch of the same kind: images are mirrored, in one of three ways.

    Drawn noise would not do beside pictures: strides average it away, so that statistics of both
    fit neither, and what is a little too large after each norm grows from norm to norm.
    """
    if not any(_is_image(tensor) for _, tensor in batch.tensors()):
        return batch.with_other_samples(slice(None))
    axes = MIRRORED[number % len(MIRRORED)]
    return batch.mapped(lambda tensor: tensor.flip(axes) if _is_image(tensor) else tensor)


def _is_image(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.ndim == 4 and tensor.numel() > 1


def _has_no_statistics(module: nn.Module) -> bool:
    return (
        isinstance(module, _BatchNorm)
        and module.track_running_stats
        and module.num_batches_tracked is not None
        and int(module.num_batches_tracked) == 0
        and module.running_mean is not None
        and not bool(module.running_mean.any())
    )
