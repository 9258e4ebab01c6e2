"""Intervals hold the truth as often as they say, and looking often does not make one bolder."""

import numpy as np
import pytest
from scipy.stats import t as student
from small_comparison import simulated

from pocketdet.compare.interval import difference_of
from pocketdet.compare.looks import look_levels
from pocketdet.compare.verdict import verdict_on, why_to_stop


@pytest.mark.parametrize(("seeds", "images"), [(2, 0.0), (3, 0.0), (5, 0.5), (3, 2.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds, images) -> None:
    rng = np.random.default_rng(1)
    found = [simulated(rng, num_seeds=seeds, of_images=images) for _ in range(800)]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.92 < held <= 0.985


def test_with_seeds_alone_it_is_the_paired_t_interval() -> None:
    values = np.array([1.0, 2.0, 4.0])
    found = difference_of(values, np.tile(values, (50, 1)), num_images=10)
    half = student.isf(0.025, 2) * values.std(ddof=1) / np.sqrt(3)
    assert found.value == pytest.approx(7 / 3)
    assert found.high - found.value == pytest.approx(half)
    assert found.image_variance == pytest.approx(0, abs=1e-12)


def test_what_differs_by_seed_and_image_together_is_not_counted_twice() -> None:
    """Independent noise in each image and seed is in the spread over seeds already."""
    rng = np.random.default_rng(2)
    images, seeds = 400, 5
    noise = 20 * rng.standard_normal((images, seeds))
    weights = rng.multinomial(images, [1 / images] * images, size=400)
    found = difference_of(noise.mean(axis=0), weights @ noise / images, num_images=images)
    assert found.image_variance < 0.4 * found.seed_variance / seeds


def test_a_config_that_equals_itself_in_every_seed_differs_by_nothing() -> None:
    found = difference_of(np.zeros(3), np.zeros((20, 3)), num_images=10)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert not found.is_shown


def share_of_claims(draws, levels) -> float:
    """Say how often any look claims that draws around nothing differ from it."""
    claimed = np.zeros(len(draws), bool)
    for k, level in levels.items():
        statistic = draws[:, :k].mean(axis=1) / (draws[:, :k].std(axis=1, ddof=1) / np.sqrt(k))
        claimed |= np.abs(statistic) > student.isf(level / 2, k - 1)
    return float(claimed.mean())


@pytest.mark.parametrize("num_seeds", [2, 3, 5, 8])
def test_over_all_looks_a_false_claim_is_as_rare_as_promised(num_seeds) -> None:
    levels = look_levels(num_seeds, alpha=0.05)
    draws = np.random.default_rng(9).standard_normal((20_000, num_seeds))
    assert share_of_claims(draws, levels) == pytest.approx(0.05, abs=0.006)
    assert list(levels) == list(range(min(3, num_seeds), num_seeds + 1))
    assert max(levels.values()) < 0.051


@pytest.mark.parametrize("num_seeds", [3, 5, 8])
@pytest.mark.parametrize("kind", ["normal", "uniform", "heavy", "two clusters", "some fail"])
def test_no_shape_of_the_spread_makes_false_claims_likelier(num_seeds, kind) -> None:
    """Short trainings take off or do not, so that AP lies in clusters: two seeds then often agree."""
    rng = np.random.default_rng(11)
    size = (2, 20_000, num_seeds)
    ap = {
        "normal": lambda: rng.standard_normal(size),
        "uniform": lambda: rng.random(size),
        "heavy": lambda: rng.standard_t(2, size),
        "two clusters": lambda: (rng.random(size) < 0.5) + 0.05 * rng.standard_normal(size),
        "some fail": lambda: (rng.random(size) < 0.15) + 0.1 * rng.standard_normal(size),
    }[kind]()
    assert share_of_claims(ap[1] - ap[0], look_levels(num_seeds)) < 0.051


def test_the_number_of_further_seeds_does_settle_it() -> None:
    rng = np.random.default_rng(3)
    found = difference_of(
        np.array([0.4, -0.5, 0.1]), np.tile([0.4, -0.5, 0.1], (9, 1)), num_images=9
    )
    needed = found.seeds_to_settle(0.5)
    assert needed is not None
    spread = np.sqrt(found.seed_variance)
    shown = [
        simulated(rng, num_seeds=needed, truth=0.5, of_seeds=spread).is_shown for _ in range(400)
    ]
    assert 0.75 < np.mean(shown) < 0.95
    assert needed > 3
    assert verdict_on(found, size=0.5).further_seeds == needed - 3


def test_where_the_images_are_too_few_no_number_of_seeds_helps() -> None:
    found = simulated(np.random.default_rng(4), num_seeds=3, of_seeds=0.1, of_images=2.0)
    assert verdict_on(found, size=0.5).further_seeds is None


def test_it_stops_where_nothing_more_can_be_shown_or_need_be() -> None:
    none = difference_of(np.array([1.0, -1.1, 0.1]), np.zeros((5, 3)), num_images=9)
    assert "hardly" in why_to_stop(none, num_seeds=5, final_level=0.034, size=None)
    small = difference_of(np.array([0.01, -0.01]), np.zeros((5, 2)), num_images=9)
    assert "smaller than 1" in why_to_stop(small, num_seeds=5, final_level=0.034, size=1.0)
    close = difference_of(np.array([1.0, 0.4]), np.zeros((5, 2)), num_images=9)
    assert why_to_stop(close, num_seeds=5, final_level=0.034, size=None) == ""
    plain = difference_of(np.array([5.0, 5.1, 5.2]), np.zeros((5, 3)), num_images=9)
    assert "shown" in why_to_stop(plain, num_seeds=5, final_level=0.034, size=None)
    assert verdict_on(plain, size=1.0).answer == "better"


def test_giving_up_early_hardly_ever_misses_what_the_last_seed_would_have_shown() -> None:
    """A difference of two standard errors is found as often as without giving up."""
    rng = np.random.default_rng(5)
    levels = look_levels(5)
    found = {True: 0, False: 0}
    seeds = 0
    for _ in range(400):
        by_seed = 2 / np.sqrt(5) + rng.standard_normal(5)
        stopped = False
        for k, level in levels.items():
            one = difference_of(by_seed[:k], np.zeros((2, k)), num_images=9, level=level)
            found[False] += one.is_shown and k == 5
            if not stopped and why_to_stop(one, num_seeds=5, final_level=levels[5], size=None):
                stopped = True
                found[True] += one.is_shown
                seeds += k
        if not stopped:
            found[True] += one.is_shown
            seeds += 5
    assert found[True] > 0.9 * found[False] > 50
    assert seeds / 400 < 4.7


def test_one_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2: one seed shows no spread; got 1"):
        look_levels(1)
