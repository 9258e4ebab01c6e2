"""What knows how to become something smaller that computes the same."""

from abc import ABC, abstractmethod

from torch import nn


class Foldable(nn.Module, ABC):
    """A block that trains in one form and runs in another, which `fold_batch_norm` asks it for.

    A block of the user's own takes part by deriving from this.
    """

    @abstractmethod
    def folded(self) -> nn.Module:
        """Give a module with the same outputs in evaluation mode, or itself where there is none."""
