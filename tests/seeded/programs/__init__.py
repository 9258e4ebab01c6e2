"""All programs: importing this package fills `seeded.program.PROGRAMS`."""

from seeded.programs import (
    attention,
    compression,
    gradients,
    labels,
    loaders,
    losses,
    modes,
    ranges,
    rows,
    several,
)

__all__ = [
    "attention",
    "compression",
    "gradients",
    "labels",
    "loaders",
    "losses",
    "modes",
    "ranges",
    "rows",
    "several",
]
