"""Searched bits: the mean holds, the uniform setting is uniform, and channels go with them."""

from pathlib import Path

from compress_data import tiny_detector
import numpy as np
import pytest
from small_bench import tiny_bench

from pocketdet.compress import FineTuning
from pocketdet.compress.catalogue import steps_from_data, steps_to_data
from pocketdet.compress.search import Bits, Search
from pocketdet.compress.search.bits import BitSpace
from pocketdet.model.quantized import QuantizedDetector

pytest.importorskip("optuna")

NONE = FineTuning(epochs=0)


def mean_bits(space: BitSpace, numbers: list[float]) -> float:
    detector = tiny_detector()
    bits = space.layer_bits(detector, numbers)
    sizes = {name: detector.get_submodule(name).get_parameter("weight").numel() for name in bits}
    return sum(bits[name] * sizes[name] for name in bits) / sum(sizes.values())


@pytest.mark.parametrize("mean", [2.0, 3.0, 4.5, 8.0])
def test_every_proposal_keeps_the_mean_and_comes_near(mean: float) -> None:
    space = BitSpace.of(tiny_detector(), Bits(mean=mean), "part")
    rng = np.random.default_rng(0)
    for numbers in rng.uniform(0, 1, size=(8, len(space.names))).tolist():
        assert 2.0 <= mean_bits(space, numbers) <= mean
    uniform = space.layer_bits(tiny_detector(), [1.0] * len(space.names))
    assert set(uniform.values()) == {int(mean)}


def test_a_larger_number_never_means_fewer_bits() -> None:
    space = BitSpace.of(tiny_detector(), Bits(mean=5.0), "part")
    bits = space.layer_bits(tiny_detector(), [1.0, *[0.4] * (len(space.names) - 1)])
    first = [bits[layer] for layer in space.layers if layer.startswith(space.names[0])]
    assert set(first) == {8}
    assert min(bits.values()) < 5


@pytest.mark.filterwarnings("ignore")
def test_channels_and_bits_are_searched_together(tmp_path: Path) -> None:
    detector, bench = tiny_detector(), tiny_bench(tmp_path)
    step = Search(macs=0.7, bits=Bits(mean=5.0), trials=3, try_out=NONE, fine_tune=NONE)
    result = step.apply(detector, bench)
    assert isinstance(result.detector, QuantizedDetector)
    assert all(row["macs"] <= 0.7 and row["kilobytes"] > 0 for row in result.rows)
    assert len({row["kilobytes"] for row in result.rows}) > 1
    best = max(result.figures["ap searched"], result.figures["ap uniform"])
    assert bench.evaluate(result.detector)["ap"] == best


@pytest.mark.filterwarnings("ignore")
def test_bits_alone_leave_all_channels(tmp_path: Path) -> None:
    detector, bench = tiny_detector(), tiny_bench(tmp_path)
    step = Search(macs=1, bits=Bits(mean=3.0), trials=2, try_out=NONE, fine_tune=NONE)
    result = step.apply(detector, bench)
    assert [row["macs"] for row in result.rows] == [1.0, 1.0]
    held = result.detector
    assert isinstance(held, QuantizedDetector)
    assert max(code.bits for code in held.bits.weights.values()) <= 8


def test_bits_are_stated_as_data() -> None:
    steps = steps_from_data([{"search": {"macs": 1, "bits": {"mean": 6.0}}}])
    assert steps == (Search(macs=1, bits=Bits(mean=6.0)),)
    assert steps_from_data(steps_to_data(steps)) == steps


@pytest.mark.parametrize("mean", [1.0, 9.0])
def test_a_mean_that_no_bits_give_is_refused(mean: float) -> None:
    with pytest.raises(ValueError, match="`mean` must be from 2 to 8 bits"):
        Bits(mean=mean)
