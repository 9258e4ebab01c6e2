"""What a comparison found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pocketdet.compare.cost import Cost
from pocketdet.compare.interval import Difference
from pocketdet.compare.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One config. `ap`, `ap50` are in points (0 to 100), one for each seed.

    `diverged` names the seeds whose training gave no detector; their AP counts as 0.
    """

    name: str
    ap: tuple[float, ...]
    ap50: tuple[float, ...]
    diverged: tuple[int, ...]
    cost: Cost
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Against:
    """A config against the first one: differences by figure and class, in AP points."""

    name: str
    differences: Mapping[str, Difference]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All of it.

    - `contenders`: in the order given; the first is what the others are compared with;
    - `best`: above every other by an interval that excludes zero, or None;
    - `level`: 1 - `level` is how sure each interval is at this look, so that over all looks and
      all configs together a false claim has a chance of at most 5 %;
    - `reason`: why no further seed was trained, a part of a sentence.
    """

    contenders: tuple[Contender, ...]
    against: tuple[Against, ...]
    best: str | None
    num_seeds: int
    planned_seeds: int
    num_images: int
    level: float
    reason: str
    minutes: float

    def sentence(self, against: Against) -> str:
        """Give the verdict on one config in one sentence."""
        ap, base = against.differences["AP"], self.contenders[0].name
        by = f"{ap.value:+.1f} AP [{ap.low:+.1f}, {ap.high:+.1f}]"
        seeds = f"{self.num_seeds} seeds"
        answer = against.verdict.answer
        if answer in ("better", "worse"):
            return f"{against.name} is {answer} than {base}: {by} over {seeds}."
        size, further = against.verdict.size, against.verdict.further_seeds
        if further is None:
            more = f"no number of seeds would settle {size:g} AP on {self.num_images} images"
        elif further == 0:
            more = f"these seeds would have shown {size:g} AP four times in five"
        else:
            settling = "1 further seed" if further == 1 else f"{further} further seeds"
            more = f"{settling} would settle a difference of {size:g} AP"
        return (
            f"{against.name} and {base}: no difference that this budget can show, {by} over "
            f"{seeds}; {more}."
        )

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold, with the sentences."""
        return {**asdict(self), "verdicts": [self.sentence(one) for one in self.against]}
