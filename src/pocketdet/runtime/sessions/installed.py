"""Runtimes that may not be installed, and what to do about it."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def need(module: str, *, extra: str, what: str) -> Any:
    """Import a module, or say in one sentence which extra brings it.

    Only a missing module is reported so: one that is there and broken shows its own error.
    """
    if find_spec(module.split(".")[0]) is None:
        raise ValueError(
            f"{what} needs `{module.split('.')[0]}`, which is not installed: "
            f"pip install 'pocketdet[{extra}]'."
        )
    return import_module(module)
