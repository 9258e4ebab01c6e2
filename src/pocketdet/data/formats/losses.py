"""What a format could not hold."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Losses:
    """Counts of what was left out or changed while writing, by reason; empty when nothing."""

    counts: Counter[str] = field(default_factory=Counter[str])

    def add(self, reason: str, number: int) -> None:
        """Count `number` more under a reason; 0 leaves no trace."""
        if number:
            self.counts[reason] += number

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        if not self.counts:
            return "Nothing was lost."
        return "\n".join(f"{number} {reason}" for reason, number in self.counts.items())
