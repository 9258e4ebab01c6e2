"""What each kind of step costs in AP and brings in time, measured on quick trials of it alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Point:
    """One pruned trial: the share of its multiply-accumulates, its AP, its milliseconds."""

    macs: float
    ap: float
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Quick trials of each step alone, timed in turn.

    - `points`: from the whole detector (1.0) to the least, each after a short fine-tuning;
    - `quantised`: the whole detector quantised; None where that was not asked for.
    """

    points: tuple[Point, ...]
    quantised: Point | None

    @property
    def whole(self) -> Point:
        return self.points[0]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One way to the target: prune to `macs` (None: not at all), quantise or not; predictions."""

    macs: float | None
    quantise: bool
    ap: float
    milliseconds: float

    @property
    def name(self) -> str:
        """Say it in a few words."""
        steps = [] if self.macs is None else [f"prune to {self.macs:.0%} of the MACs"]
        return ", ".join(steps + (["quantise"] if self.quantise else [])) or "nothing"


def routes_to(scan: Scan, milliseconds: float) -> list[Route]:
    """Give the ways that are predicted to meet a target, the one that loses least first.

    Times multiply and losses add up: pruned to a share, then quantised, a detector takes the
    pruned one's time in the ratio that quantising brought to the whole, and loses both losses.
    Between two trials both go in a straight line.
    """
    routes: list[Route] = []
    for quantise in (False, True):
        if quantise and scan.quantised is None:
            continue
        ratio, loss = _gain(scan) if quantise else (1.0, 0.0)
        found = _reached(scan.points, milliseconds / ratio)
        if found is not None:
            macs = None if found.macs >= 1 else found.macs
            if macs is not None or quantise:
                routes.append(
                    Route(
                        macs=macs,
                        quantise=quantise,
                        ap=found.ap - loss,
                        milliseconds=found.milliseconds * ratio,
                    )
                )
    return sorted(routes, key=lambda route: (-route.ap, route.quantise))


def _gain(scan: Scan) -> tuple[float, float]:
    quantised = scan.quantised
    assert quantised is not None
    return (
        quantised.milliseconds / scan.whole.milliseconds,
        max(0.0, scan.whole.ap - quantised.ap),
    )


def _reached(points: Sequence[Point], milliseconds: float) -> Point | None:
    """Find the least pruning that is predicted to take so many milliseconds."""
    if points[0].milliseconds <= milliseconds:
        return points[0]
    for slow, fast in pairwise(points):
        if fast.milliseconds <= milliseconds < slow.milliseconds:
            part = (slow.milliseconds - milliseconds) / (slow.milliseconds - fast.milliseconds)
            return Point(
                macs=slow.macs + part * (fast.macs - slow.macs),
                ap=slow.ap + part * (fast.ap - slow.ap),
                milliseconds=milliseconds,
            )
    return None
