"""Searched shares: the budget holds, every sampler learns, and a killed process costs one trial."""

from collections.abc import Sequence
import itertools
from pathlib import Path
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

from compress_data import tiny_detector
import numpy as np
import pytest
from small_bench import tiny_bench

from pocketdet.compress import FineTuning
from pocketdet.compress.catalogue import steps_from_data, steps_to_data
from pocketdet.compress.channels.ratios import Limits
from pocketdet.compress.channels.scores import Magnitude
from pocketdet.compress.channels.units import find_groups
from pocketdet.compress.search import CMAES, GP, NSGA2, TPE, ActorCritic, Sampler, Search
from pocketdet.compress.search.draw import front
from pocketdet.compress.search.parts import Decisions
from pocketdet.compress.search.space import ChannelSpace
from pocketdet.compress.search.study import Trials
from pocketdet.model.cost import count_macs
from pocketdet.runtime.sessions.installed import need

NONE = FineTuning(epochs=0)
BEST = np.array([0.9, 0.2, 0.6])

optuna = pytest.importorskip("optuna")


def space(tmp_path: Path, *, macs: float | None) -> ChannelSpace:
    detector = tiny_detector()
    groups = find_groups(detector)
    scores = Magnitude().scores(detector, groups, tiny_bench(tmp_path))
    return ChannelSpace(groups=groups, scores=scores, limits=Limits(), macs=macs)


def toy_space() -> Decisions:
    toy = SimpleNamespace(names=("a", "b", "c"), weights=lambda: (0.5, 0.3, 0.2))
    return cast(Decisions, toy)


def toy_score(_: int, numbers: Sequence[float]) -> dict[str, float]:
    distance = float(np.square(np.array(numbers) - BEST).sum())
    return {"ap": 1 - distance, "milliseconds": sum(numbers)}


def test_every_proposal_meets_the_budget_and_uses_it(tmp_path: Path):
    whole = space(tmp_path, macs=0.5)
    rng = np.random.default_rng(0)
    for numbers in [whole.uniform, *rng.uniform(0.2, 1.0, size=(6, len(whole.names)))]:
        cost = whole.cost(whole.shares(list(numbers)))
        assert 0.3 < cost <= 0.5  # one channel of a tiny layer is a large step


def test_parts_are_named_by_their_place(tmp_path: Path):
    assert {"stem", "stages.0"} <= set(space(tmp_path, macs=0.5).names)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sampler", [TPE(), GP(), CMAES(), ActorCritic()])
def test_samplers_come_nearer_to_the_best(sampler: Sampler, tmp_path: Path):
    trials = Trials(str(tmp_path / "t.journal"), "toy", toy_space(), sampler, seed=0)
    for _ in range(32):
        trials.add(toy_score)
    scores = [figures["ap"] for _, figures in trials.done]
    assert np.mean(scores[-8:]) > np.mean(scores[:8]) + 0.1


@pytest.mark.filterwarnings("ignore")
def test_a_front_is_looked_for_with_two_measures(tmp_path: Path):
    trials = Trials(str(tmp_path / "t.journal"), "toy", toy_space(), NSGA2(population=6), seed=0)
    for _ in range(12):
        trials.add(toy_score)
    figures = [figures for _, figures in trials.done]
    best = front(figures)
    assert all(
        figures[a]["milliseconds"] < figures[b]["milliseconds"]
        and figures[a]["ap"] < figures[b]["ap"]
        for a, b in itertools.pairwise(best)
    )


PROCESS = """
import sys
sys.path[:0] = sys.argv[2:]
from test_searched_shares import TPE, Trials, toy_score, toy_space
trials = Trials(sys.argv[1], "toy", toy_space(), TPE(), seed=1)
trials.add(toy_score)
def killed(number, numbers):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
trials.add(killed)
"""


def test_processes_share_a_study_and_a_killed_one_costs_its_trial(tmp_path: Path):
    place = str(tmp_path / "t.journal")
    here = Trials(place, "toy", toy_space(), TPE(), seed=0)
    here.add(toy_score)
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", PROCESS, place, str(tests / "compress"), str(tests / "train")]
    other = subprocess.run(command, check=False, capture_output=True, text=True)
    assert other.returncode == -9, other.stderr
    again = Trials(place, "toy", toy_space(), TPE(), seed=0)
    again.add(toy_score)
    assert len(again.done) == 3
    states = [trial.state.name for trial in study(again).trials]
    assert sorted(states) == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]


@pytest.mark.parametrize("sampler", [TPE(), ActorCritic()])
def test_processes_that_join_propose_other_trials(sampler: Sampler, tmp_path: Path):
    place = str(tmp_path / "t.journal")
    both = [Trials(place, "toy", toy_space(), sampler, seed=0) for _ in range(2)]
    for trials in both:
        trials.add(toy_score)
    (first, _), (second, _) = both[0].done
    assert first != second
    alone = Trials(str(tmp_path / "other.journal"), "toy", toy_space(), sampler, seed=0)
    alone.add(toy_score)
    assert alone.done[0][0] == first  # a process of its own is still repeatable


def test_searches_of_other_budgets_do_not_share_trials(tmp_path: Path):
    detector, bench = tiny_detector(), tiny_bench(tmp_path)
    place = str(tmp_path / "together.journal")
    for macs in (0.8, 0.6):
        step = Search(macs=macs, trials=2, try_out=NONE, fine_tune=NONE, study=place)
        result = step.apply(detector, bench.inside(f"{macs}"))
        assert all(row["macs"] <= macs for row in result.rows)
        assert len(result.rows) == 2


def study(trials: Trials) -> Any:
    return trials._study  # pyright: ignore[reportPrivateUsage]


@pytest.mark.filterwarnings("ignore")
def test_the_step_gives_the_better_of_searched_and_uniform(tmp_path: Path):
    detector = tiny_detector()
    bench = tiny_bench(tmp_path)
    step = Search(macs=0.6, trials=3, try_out=NONE, fine_tune=NONE)
    result = step.apply(detector, bench)
    height, width = detector.contract.height, detector.contract.width
    import torch

    image = torch.zeros(1, 3, height, width)
    assert count_macs(result.detector, image) <= 0.6 * count_macs(detector, image)
    assert len(result.rows) == 3
    assert sum(row["chosen"] for row in result.rows) == 1
    best = max(result.figures["ap searched"], result.figures["ap uniform"])
    assert bench.evaluate(result.detector)["ap"] == best
    assert (bench.folder / "search.png").is_file()
    assert step.apply(detector, bench).figures["trials"] == 3  # it went on, and all was there


def test_steps_state_their_sampler_by_name():
    steps = steps_from_data([{"search": {"sampler": {"ActorCritic": {"noise": 0.2}}, "trials": 4}}])
    assert steps == (Search(sampler=ActorCritic(noise=0.2), trials=4),)
    assert steps_from_data(steps_to_data(steps)) == steps


def test_patience_ends_a_search_that_finds_nothing_better():
    done = [([1.0], {"ap": score}) for score in (0.3, 0.5, 0.4, 0.2)]
    is_stale = Search(patience=2)._is_stale  # pyright: ignore[reportPrivateUsage]
    assert is_stale(done)
    assert not is_stale([*done, ([1.0], {"ap": 0.6})])


def test_a_missing_library_is_named_with_its_extra():
    with pytest.raises(ValueError, match=r"pocketdet\[search\]"):
        need("optuna_that_is_not_there", extra="search", what="A search")


@pytest.mark.parametrize("macs", [0.0, 1.0, 2.0])
def test_a_budget_is_a_share(macs: float):
    with pytest.raises(ValueError, match="macs"):
        Search(macs=macs)
