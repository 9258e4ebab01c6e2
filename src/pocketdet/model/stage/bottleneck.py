"""What stages of bottleneck blocks have in common: which numbers make sense."""

from typing import Protocol


class Bottlenecks(Protocol):
    """The numbers of a stage whose blocks widen, convolve and narrow."""

    @property
    def channels(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def expansion(self) -> float: ...
    @property
    def squeeze(self) -> int: ...
    @property
    def kernel_size(self) -> int: ...


def check_bottleneck(stage: Bottlenecks) -> None:
    """Raise `ValueError` unless a stage of these numbers can be built."""
    if min(stage.channels, stage.num_layers) < 1 or stage.expansion < 1 or stage.squeeze < 0:
        raise ValueError(
            "`channels`, `num_layers` and `expansion` must be at least 1 and `squeeze` not "
            f"negative; got {stage.channels}, {stage.num_layers}, {stage.expansion} "
            f"and {stage.squeeze}."
        )
    if stage.kernel_size < 3 or stage.kernel_size % 2 == 0:
        raise ValueError(
            f"`kernel_size` of a stage must be odd and at least 3; got {stage.kernel_size}."
        )
