import pytest

from pocketdet.bench.machine import judge, this_machine
from pocketdet.bench.timing import Timing


def test_a_timing_is_the_median_with_the_tenths_of_its_calls() -> None:
    timing = Timing.of([number / 1e3 for number in range(1, 12)])
    assert (timing.p10_ms, timing.median_ms, timing.p90_ms) == pytest.approx((2, 6, 10))
    assert timing.spread == pytest.approx(5)


def test_one_call_has_no_spread() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Timing.of([0.1])


def test_a_quiet_machine_is_trusted() -> None:
    steady = Timing.of([0.010, 0.0101, 0.0102])
    judged = judge([steady], others_cores=0.05, preempted=0.01, num_cores=2)
    assert judged.reasons == ()


@pytest.mark.parametrize(
    ("others", "preempted", "seconds", "reason"),
    [
        (1.0, 0.0, [0.01, 0.01], "other processes kept 1.0 of 2 cores busy"),
        (0.0, 0.5, [0.01, 0.01], "50% of the calls lost their core"),
        (0.0, 0.0, [0.01, 0.05], "times as long as quick ones"),
    ],
)
def test_a_busy_machine_is_said_to_be(
    others: float, preempted: float, seconds: list[float], reason: str
) -> None:
    judged = judge([Timing.of(seconds)], others_cores=others, preempted=preempted, num_cores=2)
    assert len(judged.reasons) == 1
    assert reason in judged.reasons[0]


def test_the_machine_has_a_name_and_cores() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.num_cores >= 1
