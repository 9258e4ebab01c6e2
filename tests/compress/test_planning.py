"""Plans: what is predicted follows from the scan, limits hold, and what breaks them is undone."""

from collections.abc import Mapping
from dataclasses import replace
import json
from pathlib import Path

from compress_data import tiny_detector
import pytest
from small_bench import tiny_bench

from pocketdet.compress import FineTuning
from pocketdet.compress.catalogue import steps_from_data
from pocketdet.compress.channels.ratios import Limits, uniform
from pocketdet.compress.channels.scores import Magnitude
from pocketdet.compress.channels.units import find_groups
from pocketdet.compress.command import CompressOptions, start_or_resume
from pocketdet.compress.latency import Latency
from pocketdet.compress.planning import Plan, Target, read_target
from pocketdet.compress.planning.scan import Point, Scan, routes_to
from pocketdet.compress.prune import for_milliseconds
from pocketdet.compress.workbench import Workbench
from pocketdet.data.progress import silent
from pocketdet.model import Detector
from pocketdet.model.quantized import QuantizedDetector

NONE = FineTuning(epochs=0)

SCAN = Scan(
    points=(
        Point(macs=1.0, ap=0.60, milliseconds=10.0),
        Point(macs=0.5, ap=0.56, milliseconds=6.0),
        Point(macs=0.3, ap=0.40, milliseconds=4.0),
    ),
    quantised=Point(macs=1.0, ap=0.59, milliseconds=5.0),
)


def test_the_way_that_loses_least_comes_first():
    routes = routes_to(SCAN, 5.0)
    assert [route.name for route in routes] == ["quantise", "prune to 40% of the MACs"]
    assert routes[0].ap == pytest.approx(0.59)
    assert routes[1].ap == pytest.approx(0.48)  # half way between two trials


def test_both_together_multiply_times_and_add_losses():
    both = routes_to(SCAN, 3.0)
    assert [route.name for route in both] == ["prune to 50% of the MACs, quantise"]
    assert both[0].ap == pytest.approx(0.56 - 0.01)
    assert both[0].milliseconds == pytest.approx(3.0)


def test_what_no_trial_promises_is_no_plan():
    assert routes_to(SCAN, 1.9) == []
    assert routes_to(replace(SCAN, quantised=None), 3.9) == []


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("15ms onnxruntime", Target(milliseconds=15, runtime="onnxruntime")),
        ("2.5 ms", Target(milliseconds=2.5)),
    ],
)
def test_targets_are_read(text: str, target: Target):
    assert read_target(text) == target


@pytest.mark.parametrize("text", ["15", "fast", "0ms", "15ms on my phone"])
def test_other_targets_are_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="15ms onnxruntime"):
        read_target(text)


def test_a_target_and_steps_exclude_each_other(tmp_path: Path):
    options = CompressOptions(run=tmp_path, data="x", how=("prune",), target="5ms")
    with pytest.raises(ValueError, match="not both"):
        start_or_resume(options, resume=None, device="cpu", progress=silent)
    options = CompressOptions(run=tmp_path, data="x", how=("prune",), lose=1.0)
    with pytest.raises(ValueError, match="--target"):
        start_or_resume(options, resume=None, device="cpu", progress=silent)


def test_plans_are_steps_like_others():
    steps = steps_from_data([{"plan": {"milliseconds": 5, "lose": 0.5}}])
    assert steps == (Plan(milliseconds=5, lose=0.5),)


class _CountedTime(Workbench):
    """A workbench whose milliseconds are multiply-accumulates, half as many where quantised."""

    def latencies(
        self, detectors: Mapping[str, Detector], *, rounds: int = 30
    ) -> dict[str, Latency]:
        return {name: self._latency(detector) for name, detector in detectors.items()}

    def _latency(self, detector: Detector) -> Latency:
        taken = self.cost(detector)[1] / 1e6
        taken *= 0.5 if isinstance(detector, QuantizedDetector) else 1.0
        return Latency(
            runtime="counted", threads=1, median=taken, p10=taken, p90=taken, least=taken, runs=1
        )


class _Scored(_CountedTime):
    """The same where a detector scores what is left of its multiply-accumulates."""

    def evaluate(self, detector: Detector) -> dict[str, float]:
        whole = self.cost(tiny_detector())[1]
        lost = 0.02 if isinstance(detector, QuantizedDetector) else 0.0
        return {"ap": 0.5 * (self.cost(detector)[1] / whole) - lost}


def bench(tmp_path: Path) -> Workbench:
    return _Scored(**vars(tiny_bench(tmp_path)))


def plan(share: float, *, lose: float) -> Plan:
    whole = bench_cost()
    return Plan(milliseconds=share * whole, lose=lose, try_out=NONE, fine_tune=NONE)


def bench_cost() -> float:
    from pocketdet.compress.figures import count_cost

    return count_cost(tiny_detector())[1] / 1e6


def test_the_plan_is_written_then_performed_and_measured(tmp_path: Path):
    own = bench(tmp_path)
    result = plan(0.6, lose=5.0).apply(tiny_detector(), own)
    assert isinstance(result.detector, QuantizedDetector)
    assert [row["plan"] for row in result.rows] == ["quantise"]
    assert result.rows[0]["measured ms"] == pytest.approx(result.rows[0]["predicted ms"], rel=0.05)
    assert json.loads((own.folder / "plan.json").read_text())[0]["plan"] == "quantise"


def test_a_step_that_loses_too_much_is_undone_and_the_next_plan_tried(tmp_path: Path):
    result = plan(0.6, lose=1.0).apply(tiny_detector(), bench(tmp_path))
    assert [row["kept"] for row in result.rows] == [False, False]
    assert any("quantise was undone" in text for text in result.given_up)
    assert "No plan held the limit" in result.given_up[-1]
    assert not isinstance(result.detector, QuantizedDetector)


def test_a_detector_that_is_fast_enough_stays(tmp_path: Path):
    detector = tiny_detector()
    result = plan(1.5, lose=1.0).apply(detector, bench(tmp_path))
    assert result.detector is detector
    assert "already" in result.given_up[0]
    assert not list((tmp_path / "work").glob("try*"))  # said before anything was tried


class _Drifting(_Scored):
    """The same on a machine that is half as fast at each measurement as at the one before."""

    def latencies(
        self, detectors: Mapping[str, Detector], *, rounds: int = 30
    ) -> dict[str, Latency]:
        place = self.folder / "slower"
        slower = float(place.read_text()) if place.is_file() else 1.0
        place.write_text(str(2 * slower))
        found = super().latencies(detectors)
        return {name: replace(one, least=slower * one.least) for name, one in found.items()}


def test_a_slow_moment_does_not_look_like_a_slow_detector(tmp_path: Path):
    groups, own = find_groups(tiny_detector()), _Drifting(**vars(tiny_bench(tmp_path)))
    scores = Magnitude().scores(tiny_detector(), groups, own)
    choose = uniform(groups, scores, Limits())
    target = 0.6 * bench_cost()
    goal = for_milliseconds(tiny_detector(), groups, choose, own, target)
    assert 0.5 < goal / groups.macs([]) <= 0.6


def test_a_target_out_of_reach_says_what_could_be_reached(tmp_path: Path):
    with pytest.raises(ValueError, match="the least that"):
        plan(0.01, lose=50.0).apply(tiny_detector(), bench(tmp_path))
