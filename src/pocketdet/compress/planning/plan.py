"""A target in milliseconds, and how much AP may go for it: scanned, planned, done, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import json
from typing import Any, Literal

from pocketdet.compress.channels.lasso import Lasso, Reconstruction
from pocketdet.compress.channels.scores import ChannelScore
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.planning.scan import Point, Route, Scan, routes_to
from pocketdet.compress.prune import Prune
from pocketdet.compress.quantize import Quantize
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector

WITHIN = 1.03
"""Times the target: what still meets it. Two timings of one detector differ by as much."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Done:
    """A route as it was performed: AP after each of its steps, and the time of the last."""

    route: Route
    detector: Detector
    aps: tuple[tuple[str, float], ...]
    milliseconds: float

    @property
    def ap(self) -> float:
        return self.aps[-1][1]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Reach a time at the least loss, by pruning, quantising or both.

    - `milliseconds`: measured, of one picture in the workbench's runtime;
    - `lose`: AP points that may be lost on the validation split;
    - `shares`: of the multiply-accumulates, tried in the scan, from high to low;
    - `quantise`: whether that may be used; `score`, `ratios`, `reconstruct`: as in `Prune`;
    - `try_out`: the fine-tuning of each trial of the scan, `fine_tune`: that of the plan.

    Steps are tried alone, the plan is made of what they brought (`plan.json`, before anything is
    performed), performed and measured. Where it loses too much, the step that lost most is undone
    and the next plan without it performed. Where no plan holds the limit, the detector stays.
    """

    milliseconds: float
    lose: float = 1.0
    shares: tuple[float, ...] = (0.75, 0.5, 0.3)
    quantise: bool = True
    score: ChannelScore = Lasso()
    ratios: Literal["ranked", "uniform"] = "uniform"
    reconstruct: Reconstruction | None = Reconstruction()
    try_out: FineTuning = FineTuning(epochs=1.0)
    fine_tune: FineTuning = FineTuning(epochs=10.0)

    def __post_init__(self) -> None:
        if self.milliseconds <= 0:
            raise ValueError(f"`milliseconds` must be above 0; got {self.milliseconds:g}.")
        if self.lose < 0:
            raise ValueError(f"`lose` must be at least 0 AP points; got {self.lose:g}.")
        if not self.shares or not all(0 < share < 1 for share in self.shares):
            raise ValueError(f"`shares` must be one or more in (0, 1); got {self.shares}.")

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Scan, plan, perform and measure; see `Step`."""
        check_in_float(detector, self)
        before = bench.latency(detector).least
        if before <= self.milliseconds:
            return _nothing_done(detector, before)
        scan = self._scan(detector, bench)
        if scan.whole.milliseconds <= self.milliseconds:
            return _nothing_done(detector, scan.whole.milliseconds)
        routes = routes_to(scan, self.milliseconds)
        if not routes:
            raise ValueError(self._out_of_reach(scan))
        _keep_plan(routes, bench)
        done, undone = self._performed(detector, routes, scan, bench)
        return self._ended(detector, scan, done, undone)

    def _scan(self, detector: Detector, bench: Workbench) -> Scan:
        trials = {1.0: detector}
        for place, share in enumerate(sorted(self.shares, reverse=True)):
            bench.progress("trying each step alone", place, len(self.shares) + 1)
            step = self._pruning(share, self.try_out)
            trials[share] = step.apply(detector, bench.inside(f"try {share:g}")).detector
        timed = {f"{share:g}": trial for share, trial in trials.items()}
        quantised = None
        if self.quantise:
            quantised = Quantize(lose=None).apply(detector, bench.inside("try quantised")).detector
            timed["quantised"] = quantised
        times = {name: one.least for name, one in bench.latencies(timed).items()}
        points = tuple(
            Point(
                macs=share,
                ap=bench.evaluate(trial)["ap"],
                milliseconds=times[f"{share:g}"],
            )
            for share, trial in trials.items()
        )
        if quantised is None:
            return Scan(points=points, quantised=None)
        ap = bench.evaluate(quantised)["ap"]
        return Scan(
            points=points,
            quantised=Point(macs=1.0, ap=ap, milliseconds=times["quantised"]),
        )

    def _pruning(self, macs: float, length: FineTuning) -> Prune:
        return Prune(
            macs=macs,
            score=self.score,
            ratios=self.ratios,
            reconstruct=self.reconstruct,
            fine_tune=length,
        )

    def _performed(
        self, detector: Detector, routes: Sequence[Route], scan: Scan, bench: Workbench
    ) -> tuple[_Done | None, list[_Done]]:
        """Perform routes until one holds the limit; gives it, and those that did not."""
        undone: list[_Done] = []
        banned: set[str] = set()
        for route in routes:
            if banned & set(_steps(route)):
                continue
            done = self._perform(detector, route, scan, bench)
            if 100 * (scan.whole.ap - done.ap) <= self.lose:
                return done, undone
            undone.append(done)
            banned.add(_worst(done, scan.whole.ap))
        return None, undone

    def _perform(self, detector: Detector, route: Route, scan: Scan, bench: Workbench) -> _Done:
        own = bench.inside(route.name.replace("%", " percent").replace(",", ""))
        current = detector
        aps: list[tuple[str, float]] = []
        if route.macs is not None:
            step = self._pruning(route.macs, self.fine_tune)
            if not route.quantise:
                step = replace(step, macs=None, milliseconds=self.milliseconds)
            current = step.apply(current, own).detector
            aps.append(("prune", own.evaluate(current)["ap"]))
        if route.quantise:
            current = Quantize(lose=None).apply(current, own).detector
            aps.append(("quantise", own.evaluate(current)["ap"]))
        times = own.latencies({"whole": detector, "planned": current})
        return _Done(
            route=route,
            detector=current,
            aps=tuple(aps),
            # By its ratio to the whole, so that a slow moment does not look like a slow detector.
            milliseconds=scan.whole.milliseconds * times["planned"].least / times["whole"].least,
        )

    def _ended(
        self, detector: Detector, scan: Scan, done: _Done | None, undone: Sequence[_Done]
    ) -> StepResult:
        performed = [*undone, *([] if done is None else [done])]
        given_up = [
            f"{one.route.name} was undone: it lost {100 * (scan.whole.ap - one.ap):.1f} AP, "
            f"{self.lose:g} may go; most of it went with `{_worst(one, scan.whole.ap)}`."
            for one in undone
        ]
        if done is None:
            given_up.append("No plan held the limit, so the detector is as it was.")
        elif done.milliseconds > WITHIN * self.milliseconds:
            given_up.append(
                f"It takes {done.milliseconds:.2f} ms, and {self.milliseconds:g} were asked for."
            )
        return StepResult(
            detector=detector if done is None else done.detector,
            figures={"ap before": scan.whole.ap, "ms before": scan.whole.milliseconds},
            rows=tuple(_row(one, kept=one is done) for one in performed),
            given_up=tuple(given_up),
        )

    def _out_of_reach(self, scan: Scan) -> str:
        least = min(point.milliseconds for point in scan.points)
        if scan.quantised is not None:
            least *= min(1.0, scan.quantised.milliseconds / scan.whole.milliseconds)
        return (
            f"`milliseconds` must be one that a plan can reach: the least that {self.shares} of "
            f"the multiply-accumulates promise is {least:.2f} ms; {self.milliseconds:g} were asked "
            "for. "
            "Add a lower share to `shares`, or raise the target."
        )


def _nothing_done(detector: Detector, milliseconds: float) -> StepResult:
    text = f"It takes {milliseconds:.2f} ms already, so nothing was done."
    return StepResult(detector=detector, given_up=(text,))


def _keep_plan(routes: Sequence[Route], bench: Workbench) -> None:
    """Write the plan before it is performed, the one that comes first on top."""
    rows = [
        {"plan": route.name, "predicted ap": route.ap, "predicted ms": route.milliseconds}
        for route in routes
    ]
    (bench.folder / "plan.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    first = routes[0]
    text = f"{first.name}: AP {100 * first.ap:.1f}, {first.milliseconds:.2f} ms predicted"
    bench.progress(text, 0, 1)


def _steps(route: Route) -> list[str]:
    names = ["prune"] if route.macs is not None else []
    return names + (["quantise"] if route.quantise else [])


def _worst(done: _Done, before: float) -> str:
    """Name the step that lost most."""
    losses: dict[str, float] = {}
    for name, ap in done.aps:
        losses[name], before = before - ap, ap
    return max(losses, key=lambda name: losses[name])


def _row(done: _Done, *, kept: bool) -> Mapping[str, Any]:
    return {
        "plan": done.route.name,
        "predicted ap": done.route.ap,
        "measured ap": done.ap,
        "predicted ms": done.route.milliseconds,
        "measured ms": done.milliseconds,
        "kept": kept,
    }
