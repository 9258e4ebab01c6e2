"""Evaluation mode for a while, and everything as it was afterwards."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(module: nn.Module) -> Generator[None, None, None]:
    """Put a module into evaluation mode, and each of its parts back into its own afterwards.

    `module.train(was_training)` would not do: it switches a frozen batch norm to training.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, was_training in modes:
            part.training = was_training
