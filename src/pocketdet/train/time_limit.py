"""Whether another epoch would still end in time."""

from collections.abc import Callable
from time import monotonic


class TimeLimit:
    """Watches the length of epochs; `None` minutes are no limit.

    Training stops between epochs, so that a checkpoint is never in the middle of one.
    """

    def __init__(self, minutes: float | None, *, clock: Callable[[], float] = monotonic) -> None:
        self._limit = None if minutes is None else minutes * 60
        self._clock = clock
        self._start = self._epoch_start = self._training_end = clock()
        self._longest_epoch = self._longest_evaluation = 0.0

    def epoch_begins(self) -> None:
        self._epoch_start = self._clock()

    def training_ends(self) -> float:
        """Note that an epoch's evaluation begins; gives the seconds of its training."""
        self._training_end = self._clock()
        seconds = self._training_end - self._epoch_start
        self._longest_epoch = max(self._longest_epoch, seconds)
        return seconds

    def epoch_ends(self) -> None:
        now = self._clock()
        self._longest_epoch = max(self._longest_epoch, now - self._epoch_start)
        self._longest_evaluation = max(self._longest_evaluation, now - self._training_end)

    def forbids_another_epoch(self) -> bool:
        """Say, before this epoch's evaluation, whether one more epoch would end too late."""
        if self._limit is None:
            return False
        this_one = self._clock() - self._start + self._longest_evaluation
        return this_one + self._longest_epoch > self._limit
