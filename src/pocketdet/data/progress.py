"""How long work tells whoever waits for it; this package itself never prints."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Is called now and then with what is being done and how far it is."""

    def __call__(self, doing: str, done: int, total: int, /) -> None: ...


def silent(doing: str, done: int, total: int) -> None:
    """Tell nobody."""


def track(items: Sequence[Item], doing: str, progress: Progress) -> Iterator[Item]:
    """Go through `items`, telling `progress` after every 1% and at the end."""
    total = len(items)
    step = max(1, total // 100)
    for place, item in enumerate(items):
        if place % step == 0:
            progress(doing, place, total)
        yield item
    progress(doing, total, total)
