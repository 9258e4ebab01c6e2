"""Outputs that state something, value by value beside those of an empty image."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in, with_tensors


def mixed(mix: Callable[..., Tensor], *outputs: Any) -> Any:
    """Mix outputs of one form value by value; what is no floating-point number is the first's."""
    values = [[tensor for _, tensor in tensors_in(one)] for one in outputs]
    if len({tuple(tuple(t.shape) for t in some) for some in values}) != 1:
        raise NotObservable("`perfect` gives outputs of another form for each image")
    made = [
        mix(*some) if some[0].is_floating_point() else some[0] for some in zip(*values, strict=True)
    ]
    return with_tensors(outputs[0], made)


def speaks(said: Tensor, empty: Tensor) -> Tensor:
    """Say which rows say something: all values along the shortest axis, that of channels."""
    differs = said != empty
    if said.ndim < 2:
        return differs
    channels = min(range(1, said.ndim), key=lambda axis: said.shape[axis])
    return differs.any(channels, keepdim=True).expand_as(said)
