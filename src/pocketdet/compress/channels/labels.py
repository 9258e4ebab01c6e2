"""Labels on the places of tensors' axes, joined as it turns out that they belong together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
"""One label for each place along an axis."""


class Labels:
    """Disjoint sets of labels. A set that has become fixed stays: its channels are not pruned."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._fixed: dict[int, str] = {}

    def new(self, number: int) -> Places:
        """Give labels that belong to nothing yet."""
        first = len(self._parent)
        self._parent.extend(range(first, first + number))
        return np.arange(first, first + number)

    def find(self, label: int) -> int:
        """Give the label that stands for the whole set."""
        root = label
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[label] != root:
            self._parent[label], label = root, self._parent[label]
        return root

    def roots(self, places: Places) -> Places:
        """Give for each place what stands for its set."""
        return np.array([self.find(int(label)) for label in places], dtype=np.int64)

    def join(self, one: Places, other: Places) -> None:
        """Let what stands at the same place of two axes belong together."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            first, second = self.find(a), self.find(b)
            if first == second:
                continue
            self._parent[second] = first
            if second in self._fixed:
                self._fixed.setdefault(first, self._fixed.pop(second))

    def join_all(self, places: Places) -> None:
        """Let all places of an axis belong together."""
        self.join(places[:-1], places[1:])

    def fix(self, axes: Sequence[Places | None], reason: str) -> None:
        """Let what is on these axes stay as it is."""
        for places in axes:
            for label in [] if places is None else places.tolist():
                self._fixed.setdefault(self.find(label), reason)

    def why_fixed(self, label: int) -> str | None:
        """Say why a label's set stays, or None where it may go."""
        return self._fixed.get(self.find(label))
