"""The tensors among an operator's arguments and results: ATen nests them in lists at most."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def exchanged(given: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Give arguments with everything of one kind changed, in tuples, lists and dicts too.

    What torch's own pytrees do for any structure at ten times the price, on each operator of each
    replay.
    """
    if isinstance(given, kind):
        return change(given)
    if isinstance(given, tuple):
        return tuple(exchanged(item, kind, change) for item in given)
    if isinstance(given, list):
        return [exchanged(item, kind, change) for item in given]
    if isinstance(given, dict):
        return {key: exchanged(item, kind, change) for key, item in given.items()}
    return given


def tensors_of(given: Any) -> Iterator[Tensor]:
    """Give the tensors in arguments or results, in their order."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, tuple | list):
        for item in given:
            yield from tensors_of(item)
    elif isinstance(given, dict):
        for item in given.values():
            yield from tensors_of(item)
