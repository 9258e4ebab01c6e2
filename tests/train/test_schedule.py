from itertools import pairwise

import pytest
from tiny_training import tiny_settings

from pocketdet.train.schedule import learning_rate


def rates(settings, steps_per_epoch=10):
    total = settings.epochs * steps_per_epoch
    return [learning_rate(settings, step, steps_per_epoch=steps_per_epoch) for step in range(total)]


def test_warm_up_rises_evenly_to_the_full_rate():
    values = rates(tiny_settings(epochs=10, warmup_epochs=1, learning_rate=0.11))
    assert values[:11] == pytest.approx([0.01 * (step + 1) for step in range(11)])
    assert max(values) == pytest.approx(0.11)


def test_cosine_only_falls_and_ends_near_the_final_factor():
    settings = tiny_settings(epochs=20, warmup_epochs=0, learning_rate=1.0, final_factor=0.01)
    values = rates(settings)
    assert values[0] == 1.0
    assert all(later < earlier for earlier, later in pairwise(values))
    assert values[len(values) // 2] == pytest.approx(0.505, abs=0.01)
    assert 0.01 <= values[-1] < 0.011


def test_multistep_falls_at_its_milestones_only():
    settings = tiny_settings(
        epochs=10, warmup_epochs=0, learning_rate=1.0, schedule="multistep", milestones=(0.5, 0.8)
    )
    values = rates(settings)
    assert values[:50] == [1.0] * 50
    assert values[50:80] == pytest.approx([0.1] * 30)
    assert values[80:] == pytest.approx([0.01] * 20)


def test_a_training_shorter_than_its_warm_up_still_learns():
    values = rates(tiny_settings(epochs=1, warmup_epochs=5), steps_per_epoch=1)
    assert values == [pytest.approx(0.02)]
    assert all(value > 0 for value in rates(tiny_settings(epochs=2, warmup_epochs=50)))
