"""What a compression step is, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector


@dataclass(frozen=True, kw_only=True, eq=False)
class StepResult:
    """A compressed detector, and what there is to say of it.

    - `detector`: a new one; that which went in is unchanged;
    - `figures`: named numbers of the whole step;
    - `rows`: one mapping of plain values for each layer or group that the step decided on;
    - `given_up`: what could not be done, and why, a sentence each.
    """

    detector: Detector
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    rows: tuple[Mapping[str, Any], ...] = ()
    given_up: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Give all but the detector as plain data that JSON can hold."""
        return {
            "figures": dict(self.figures),
            "rows": [dict(row) for row in self.rows],
            "given_up": list(self.given_up),
        }


class Step(Protocol):
    """A choice of compression: a frozen keyword-only dataclass whose fields are its settings.

    Settings are plain values, or choices of the step's own protocols (`catalogue.CHOICES`), so
    that a YAML file can state them as it states a detector's parts.
    """

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Compress a detector; raises `ValueError` where the settings do not fit it."""
        ...
