"""Steps that need a detector in float are refused behind a quantisation."""

from pathlib import Path

from compress_data import tiny_detector, write_squares
import pytest
from small_bench import tiny_bench

from pocketdet.compress import CompressionRequest, run_compression
from pocketdet.compress.catalogue import steps_from_data
from pocketdet.compress.result_folder import save_detector
from pocketdet.model.quantized import quantized


@pytest.mark.parametrize("late", ["prune", "sparsify", "quantize", "search", "plan"])
def test_steps_in_float_are_refused_after_quantisation_before_any_work(
    tmp_path: Path, late: str
) -> None:
    start = tmp_path / "start.pt"
    save_detector(start, tiny_detector())
    entry = {"plan": {"milliseconds": 1}} if late == "plan" else late
    request = CompressionRequest(
        run=start,
        steps=steps_from_data(["quantize", entry]),
        data=str(write_squares(tmp_path)),
        out=tmp_path / "out",
    )
    with pytest.raises(ValueError, match=f"`how` must have `{late}` before `quantize`; step 2"):
        run_compression(request)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("late", ["prune", "sparsify", "quantize", "search", "plan"])
def test_a_quantised_detector_is_refused_in_one_sentence(tmp_path: Path, late: str) -> None:
    entry = {"plan": {"milliseconds": 1}} if late == "plan" else late
    (step,) = steps_from_data(entry)
    with pytest.raises(ValueError, match=f"`{late}` needs a detector in float"):
        step.apply(quantized(tiny_detector()), tiny_bench(tmp_path))
