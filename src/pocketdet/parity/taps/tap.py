"""One intermediate result of a file, and what rounded it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """What a quantiser did to a result: `scale` and the least and largest value that it can say."""

    scale: float
    least: float
    largest: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Tap:
    """A result in the file.

    - `node`: its name; `kind`: the operator; `where`: the module that the exporter noted, or "";
    - `value`: as the next node reads it, so after rounding; `rounding`: None where none was done.
    """

    node: str
    kind: str
    where: str
    value: NDArray[Any]
    rounding: Rounding | None = None

    @classmethod
    def of(cls, node: str, kind: str, where: str, value: NDArray[Any]) -> "Tap":
        """Make one that is not rounded, in float32."""
        return cls(node=node, kind=kind, where=where, value=value.astype(np.float32))

    def rounded(self, value: NDArray[Any], rounding: Rounding | None) -> "Tap":
        """Give the same result as it is behind a quantiser and its way back."""
        return Tap(
            node=self.node,
            kind=self.kind,
            where=self.where,
            value=value.astype(np.float32),
            rounding=rounding,
        )
