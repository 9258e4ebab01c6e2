"""Channels that are really removed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal

from pocketdet.compress.channels.lasso import Lasso, Reconstruction
from pocketdet.compress.channels.ratios import (
    Choose,
    Limits,
    check_shares,
    given,
    ranked,
    strength_for,
    uniform,
)
from pocketdet.compress.channels.removal import prove_equal, without_units
from pocketdet.compress.channels.scores import ChannelScore
from pocketdet.compress.channels.units import ChannelGroups, Unit, find_groups
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector

MEASUREMENTS = 5
"""Of latency on the way to a target in milliseconds; each corrects the target in MACs."""

CLOSE = 0.03
"""Share by which measured milliseconds may stay under their target."""


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Remove whole channels with all that reads them, then train on.

    A target, one of
    - `macs`: share of the multiply-accumulates that stays;
    - `milliseconds`: measured, of one picture in the workbench's runtime;
    - `layers`: the share of channels that stays for named layers or modules, all others untouched.

    How
    - `score`: what tells channels that matter from others;
    - `ratios`: "uniform" takes the same share of each layer, "ranked" compares them all;
    - `least_share`: what stays of every layer in any case; `multiple`: channels stay in multiples
      of it (runtimes work on 4 or 8 at once);
    - `reconstruct`: refit what reads removed channels, before fine-tuning (None: do not);
    - `stages`: prune in so many parts, each followed by its part of the fine-tuning;
    - `fine_tune`: of all stages together.

    The detector without the channels is compared with the one that has zeros for them, every time.
    """

    macs: float | None = None
    milliseconds: float | None = None
    layers: Mapping[str, float] = field(default_factory=dict[str, float])
    score: ChannelScore = Lasso()
    ratios: Literal["ranked", "uniform"] = "uniform"
    least_share: float = 0.1
    multiple: int = 1
    reconstruct: Reconstruction | None = Reconstruction()
    stages: int = 1
    fine_tune: FineTuning = FineTuning(epochs=10.0)

    def __post_init__(self) -> None:
        asked = [self.macs is not None, self.milliseconds is not None, bool(self.layers)]
        if sum(asked) > 1:
            raise ValueError("`macs`, `milliseconds` and `layers` are one target each; give one.")
        if self.macs is not None and not 0 < self.macs <= 1:
            raise ValueError(f"`macs` must be the share that stays, in (0, 1]; got {self.macs:g}.")
        if self.milliseconds is not None and self.milliseconds <= 0:
            raise ValueError(f"`milliseconds` must be above 0; got {self.milliseconds:g}.")
        if not 0 <= self.least_share < 1:
            raise ValueError(f"`least_share` must be in [0, 1); got {self.least_share:g}.")
        if min(self.multiple, self.stages) < 1:
            raise ValueError("`multiple` and `stages` must be at least 1.")

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Prune, stage by stage; see `Step`."""
        check_in_float(detector, self)
        before = find_groups(detector)
        check_shares(self.layers, before.groups)
        whole = before.macs([])
        rows: list[Mapping[str, Any]] = []
        worst = 0.0
        current = detector
        for stage in range(1, self.stages + 1):
            groups = find_groups(current)
            removed = self._removed(current, groups, bench, whole=whole, stage=stage)
            pruned = without_units(current, groups, removed)
            worst = max(worst, prove_equal(pruned, current, removed))
            if self.reconstruct is not None:
                self.reconstruct.refit(current, pruned, groups, removed, bench)
            rows += _rows(groups, removed, stage)
            length = replace(self.fine_tune, epochs=self.fine_tune.epochs / self.stages)
            current = bench.fine_tune(pruned, length, name=f"fine-tuning {stage}")
        after = find_groups(current).macs([])
        return StepResult(
            detector=current,
            figures={"macs share": after / whole, "difference from masked": worst},
            rows=tuple(rows),
            given_up=self._given_up(before, reached=after / whole),
        )

    def _removed(
        self, detector: Detector, groups: ChannelGroups, bench: Workbench, *, whole: int, stage: int
    ) -> list[Unit]:
        scores = self.score.scores(detector, groups, bench)
        limits = Limits(least_share=self.least_share, multiple=self.multiple)
        done = stage / self.stages
        if self.layers:
            shares = {name: share ** (1 / self.stages) for name, share in self.layers.items()}
            return given(groups, scores, shares, limits)
        kind = ranked if self.ratios == "ranked" else uniform
        choose = kind(groups, scores, limits)
        if self.milliseconds is not None:
            start = groups.macs([])
            goal = for_milliseconds(detector, groups, choose, bench, self.milliseconds)
            goal = start - (start - goal) / (self.stages - stage + 1)
        else:
            goal = whole * (0.5 if self.macs is None else self.macs) ** done
        return choose(strength_for(choose, lambda units: groups.macs(units), goal))

    def _given_up(self, groups: ChannelGroups, *, reached: float) -> tuple[str, ...]:
        reasons: dict[str, list[str]] = {}
        for name, reason in groups.kept.items():
            reasons.setdefault(reason, []).append(name)
        texts: list[str] = []
        for reason, names in reasons.items():
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            texts.append(f"{names[0]}{others} keep all outputs: {reason}.")
        if self.macs is not None and reached > 1.02 * self.macs:
            texts.append(f"{reached:.0%} of the MACs are left, and {self.macs:.0%} were asked for.")
        return tuple(texts)


def for_milliseconds(
    detector: Detector, groups: ChannelGroups, choose: Choose, bench: Workbench, target: float
) -> float:
    """Find MACs that take at most the target: measure, correct by the ratio, measure again.

    The detector itself is timed in turn with each trial, and a trial's time is its ratio to it,
    times what the detector took in the quietest moment: a slow moment of the machine does not look
    like a slow detector. Raises `ValueError` where even the least takes longer.
    """
    whole = float(groups.macs([]))
    goal, best, latency, quietest = whole, 0.0, 0.0, inf
    for _ in range(MEASUREMENTS):
        units = choose(strength_for(choose, lambda units: groups.macs(units), goal))
        trial = without_units(detector, groups, units)
        times = bench.latencies({"whole": detector, "trial": trial})
        quietest = min(quietest, times["whole"].least)
        latency = quietest * times["trial"].least / times["whole"].least
        macs = float(groups.macs(units))
        if latency <= target:
            best = max(best, macs)
            if latency >= (1 - CLOSE) * target or macs == whole:
                break
        goal = min(whole, macs * target / latency)
    if not best:
        raise ValueError(
            f"`milliseconds` must be one that can be reached; {target:g} ms could not, the last of "
            f"{MEASUREMENTS} trials took {latency:.2f} ms. Lower `least_share` or raise the target."
        )
    return best


def _rows(groups: ChannelGroups, removed: list[Unit], stage: int) -> list[dict[str, Any]]:
    gone = {unit.label for unit in removed}
    rows: list[dict[str, Any]] = []
    for group in groups.groups:
        number = sum(unit.label in gone for unit in group.units)
        rows.append(
            {
                "stage": stage,
                "layer": group.name,
                "channels": len(group),
                "left": len(group) - number,
            }
        )
    return rows
