"""What a stage does before it is trained."""

from typing import Literal, get_args

from torch import nn

Start = Literal["random", "identity"]
"""`identity` hands the map on unchanged at first, so that a detector loses nothing by it."""


def check_start(start: str) -> None:
    """Raise `ValueError` unless `start` is one of the two."""
    if start not in get_args(Start):
        raise ValueError(f"`start` must be random or identity; got {start!r}.")


def check_can_be_identity(start: Start, *, in_channels: int, channels: int, stride: int) -> None:
    """Raise `ValueError` where a stage that changes the map is asked to leave it as it is."""
    if start == "identity" and (stride != 1 or in_channels != channels):
        raise ValueError(
            "`start: identity` needs a stage of `stride` 1 that keeps the number of channels "
            f"({in_channels} come in); got `stride` {stride} and `channels` {channels}."
        )


def silence(block: nn.Module) -> None:
    """Make a block give zeros, by its last module with weights; training can undo it.

    That is the last norm (zero scale and shift) or, without one, the last convolution.
    """
    last = [part for part in block.modules() if list(part.parameters(recurse=False))][-1]
    for parameter in last.parameters(recurse=False):
        nn.init.zeros_(parameter)
