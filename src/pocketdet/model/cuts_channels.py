"""What cuts its input's channels at a number of its own."""

from abc import ABC
from typing import ClassVar

from torch import nn


class CutsChannels(nn.Module, ABC):
    """A module whose `forward` slices or splits channels at whole numbers that it holds.

    `cuts` names these attributes, so that pruning can move a cut with the channels before it. A
    block of the user's own takes part by deriving from this; what cuts at other numbers keeps its
    channels.
    """

    cuts: ClassVar[tuple[str, ...]]
