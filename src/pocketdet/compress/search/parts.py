"""The parts of a detector that a search decides on."""

from collections.abc import Iterable
from typing import Literal, Protocol

Per = Literal["part", "layer"]


class Decisions(Protocol):
    """What a sampler has to know of a search: one number in [0, 1] for each name."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def weights(self) -> tuple[float, ...]:
        """Give how much of the detector goes with each."""
        ...


def parts_of(names: Iterable[str], per: Per) -> list[str]:
    """Name what each layer is decided on with: its part, or itself."""
    return [part_of(name) if per == "part" else name for name in names]


def part_of(name: str) -> str:
    """Name the part of the detector that a module is in: `stem`, `stages.2`, `neck`, `head`."""
    first, _, rest = name.partition(".")
    index = rest.partition(".")[0]
    return f"{first}.{index}" if index.isdigit() else first
