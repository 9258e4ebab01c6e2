"""The differences of two configs as a tree of changes, any set of which makes a config.

A field is one change at first. One level down it is what it consists of: the fields of a part of
the same kind, the items of a list, the places of attention; and a part that was not there is the
part without its own parts, and each of these by itself.
"""

from collections.abc import Iterable, Iterator

import torch

from pocketdet.bisect.difference import Difference, combined, difference_of, walk
from pocketdet.bisect.space import CannotBeMade
from pocketdet.conventions import ClassList
from pocketdet.edit.config_changes import Change
from pocketdet.model import DetectorConfig, build
from pocketdet.model.evaluation_mode import evaluation_mode


class ConfigSpace:
    """The changes from a healthy to an altered config.

    Raises `ValueError` where the two are the same. A config that cannot be built for `classes`,
    or whose network cannot take a picture, raises `CannotBeMade`.
    """

    def __init__(
        self, healthy: DetectorConfig, altered: DetectorConfig, *, classes: ClassList
    ) -> None:
        root = difference_of(healthy, altered)
        if root is None:
            raise ValueError("The two configs are the same; there is no change to look for.")
        self._root, self._classes = root, classes
        self._at: dict[Change, Difference] = {}
        for difference in self._root.inside:
            self._note(difference)
        self._failures: dict[frozenset[Change], str] = {}

    def changes(self) -> tuple[Change, ...]:
        return tuple(difference.change for difference in self._root.inside)

    def inside(self, change: Change) -> tuple[Change, ...]:
        return tuple(part.change for part in self._at[change].inside)

    def needed_by(self, change: Change) -> Change | None:
        return self._at[change].needs

    def make(self, changes: Iterable[Change]) -> DetectorConfig:
        chosen = frozenset(changes)
        if chosen in self._failures:
            raise CannotBeMade(self._failures[chosen])
        try:
            config = combined(self._root, chosen)
            try_out(config, self._classes)
        except CannotBeMade as error:
            self._failures[chosen] = str(error)
            raise
        return config

    def every_change(self) -> Iterator[Change]:
        """Give the changes of all levels, each before what it consists of."""
        yield from self._at

    def _note(self, difference: Difference) -> None:
        for each in walk(difference):
            self._at[each.change] = each


def try_out(config: DetectorConfig, classes: ClassList) -> None:
    """Build a config and show it two pictures; what any part raises becomes `CannotBeMade`.

    A part of the user's own may raise anything when it is joined with others than it was made for.
    """
    state = torch.get_rng_state()
    try:
        detector = build(config, classes=classes)
        contract = config.input
        images = torch.zeros(2, 3, contract.height, contract.width, dtype=torch.uint8)
        with torch.no_grad():
            detector.train()(detector.preprocess(images))
            with evaluation_mode(detector):
                detector(detector.preprocess(images))
    except Exception as error:
        raise CannotBeMade(f"{type(error).__name__}: {error}") from error
    finally:
        torch.set_rng_state(state)
