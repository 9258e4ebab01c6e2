"""Quantisation as a step: ranges, what is undone, budgets, further training, and its file."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from compress_data import tiny_detector, write_squares
import onnx
import pytest
from small_bench import tiny_bench
import torch
from torch import Tensor
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.compress.catalogue import steps_from_data, steps_to_data
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.quantize import Quantize
from pocketdet.compress.quantize.allocation import Option, allocate
from pocketdet.compress.quantize.bias_correction import correct_biases
from pocketdet.compress.quantize.calibration import (
    Histogram,
    divergence,
    ranges_from,
    squared_error,
)
from pocketdet.compress.quantize.quantize import calibrated
from pocketdet.compress.quantize.sensitivity import scan, signal_to_noise
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector
from pocketdet.model.quantized import QuantizedDetector, WeightCode, quantized
from pocketdet.model.saved_detector import detector_from_data, detector_to_data


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return tiny_bench(tmp_path)


@pytest.fixture
def detector() -> Detector:
    detector = tiny_detector().train()
    with torch.no_grad():
        for _ in range(60):
            detector(torch.randn(4, 3, 64, 64))
    return detector.eval()


def images() -> Tensor:
    return torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def with_outliers() -> Histogram:
    values = torch.cat([torch.randn(100_000).abs(), torch.tensor([40.0])])
    return Histogram(low=0.0, high=40.0, counts=torch.histc(values, 2048, min=0, max=40))


def test_searched_ranges_cut_a_lonely_outlier_at_few_bits() -> None:
    histogram = with_outliers()
    for cost in (squared_error, divergence):
        assert cost(histogram, (0.0, 8.0), 15) < cost(histogram, (0.0, 40.0), 15)


def test_squared_error_is_that_of_a_real_rounding() -> None:
    values = torch.rand(200_000) * 4
    histogram = Histogram(low=0.0, high=4.0, counts=torch.histc(values, 2048, min=0, max=4))
    scale = 3.0 / 255
    held = (values / scale).round().clamp(0, 255) * scale
    true = float((held - values).square().sum())
    assert squared_error(histogram, (0.0, 3.0), 255) == pytest.approx(true, rel=0.01)


@pytest.mark.parametrize("how", ["minmax", "percentile", "entropy", "mse"])
def test_every_calibration_gives_each_grid_a_range_of_its_values(
    how: str, detector: Detector
) -> None:
    held = quantized(detector)
    ranges = ranges_from(held, images(), how=how)
    widest = ranges_from(held, images(), how="minmax")
    assert set(ranges) == set(held.plan_for((64, 64)).grids)
    for name, (low, high) in ranges.items():
        assert widest[name][0] - 1e-6 <= low <= 0 <= high <= widest[name][1] + 1e-6


def test_an_unknown_calibration_names_the_nearest(detector: Detector) -> None:
    with pytest.raises(ValueError, match="Did you mean `entropy`"):
        ranges_from(quantized(detector), images(), how="entropie")


def test_the_scan_tells_the_layer_that_has_fewer_bits(detector: Detector) -> None:
    layer = "stages.1.dense1.short.0.0"
    before = scan(quantized(detector), images()[:2], weights_only=True)
    held = quantized(detector, codes={layer: WeightCode(bits=2)})
    after = scan(held, images()[:2], weights_only=True)
    loud = {row.layer: row.decibel for row in before}
    changed = {row.layer for row in after if abs(row.decibel - loud[row.layer]) > 1}
    assert changed == {layer}
    assert [row.decibel for row in after] == sorted(row.decibel for row in after)


def test_bias_correction_brings_few_bits_nearer(detector: Detector) -> None:
    step = Quantize(weight_bits=3, activation_bits=None, bias_correction=False, lose=None)
    plain = calibrated(detector, images(), step=step)
    corrected = calibrated(detector, images(), step=step)
    correct_biases(corrected, images())
    with torch.no_grad():
        true = detector(images())[0]
        before = signal_to_noise(plain(images())[0], true)
        after = signal_to_noise(corrected(images())[0], true)
    assert after > before


def test_allocation_gives_bits_where_they_remove_most_noise() -> None:
    def layer(noise: float) -> list[Option]:
        return [Option(bits=b, size=100 * b, noise=noise / 4**b) for b in (2, 3, 4)]

    options = {"loud": layer(100.0), "quiet": layer(1.0)}
    assert allocate(options, 600) == {"loud": 4, "quiet": 2}
    assert allocate(options, 800) == {"loud": 4, "quiet": 4}
    with pytest.raises(ValueError, match=r"at least 0\.4"):
        allocate(options, 399)


@pytest.mark.parametrize("codebook", [False, True])
def test_a_budget_of_kilobytes_is_kept(
    *, codebook: bool, detector: Detector, bench: Workbench
) -> None:
    step = Quantize(kilobytes=9.0, codebook=codebook, activation_bits=None, images=4, lose=None)
    result = step.apply(detector, bench)
    assert 8 < result.figures["packed_kilobytes"] <= 9.0
    assert isinstance(result.detector, QuantizedDetector)
    assert len({code.bits for code in result.detector.bits.weights.values()}) > 1


def test_the_worst_layers_are_undone_until_the_limit_holds(
    detector: Detector, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ap_by_layers_in_float(_bench: Workbench, found: Detector) -> dict[str, float]:
        if not isinstance(found, QuantizedDetector):
            return {"ap": 0.5}
        missing = len(all_layers) - len(found.bits.weights)
        return {"ap": 0.5 if missing >= 3 else 0.4}

    all_layers = quantized(detector).bits.weights
    monkeypatch.setattr(Workbench, "evaluate", ap_by_layers_in_float)
    result = Quantize(images=4, lose=1.0).apply(detector, bench)
    undone = [row["layer"] for row in result.rows if row["in_float"]]
    assert undone == [row["layer"] for row in result.rows[:4]]
    assert result.figures["layers_in_float"] == 4
    assert (bench.folder / "sensitivity.png").is_file()
    assert "4 sensitive layers stay in float" in result.given_up[0]


@pytest.mark.slow
def test_training_on_the_grids_changes_weights_and_loads_exactly(
    detector: Detector, bench: Workbench
) -> None:
    plain = Quantize(images=4, lose=None).apply(detector, bench).detector
    trained = Quantize(images=4, lose=None, epochs=1, learn_ranges=True).apply(detector, bench)
    held = trained.detector
    assert isinstance(held, QuantizedDetector)
    with torch.no_grad():
        assert not torch.equal(held(images())[0], plain(images())[0])
        loaded = detector_from_data(detector_to_data(held)).eval()
        assert torch.equal(loaded(images())[0], held(images())[0])
    names = ("stem.stem1.0", "head.class_convs.0")
    assert all(held.weight_grid(name).bits == 7 for name in names)


def test_layers_and_maps_have_bits_of_their_own(detector: Detector, bench: Workbench) -> None:
    step = Quantize(
        layers={"stages": 4, "stages.1.dense1.short.0.0": 3, "head": 8},
        maps={"stages.1": 5},
        images=4,
        lose=None,
    )
    held = step.apply(detector, bench).detector
    assert isinstance(held, QuantizedDetector)
    bits = {name: code.bits for name, code in held.bits.weights.items()}
    assert bits["stages.1.dense1.short.0.0"] == 3
    assert bits["stages.1.dense1.long.0.0"] == 4
    assert bits["stem.stem1.0"] == bits["head.class_convs.0"] == 7  # 8, of a reduced range
    size = (held.contract.height, held.contract.width)
    of_maps = {
        held.activation_grid(name).bits
        for name in held.plan_for(size).grids
        if name.startswith("stages.1.")
    }
    assert of_maps == {5}
    assert held.activation_grid("input").bits == 8
    with torch.no_grad():
        loaded = detector_from_data(detector_to_data(held)).eval()
        assert torch.equal(loaded(images())[0], held(images())[0])


@pytest.mark.parametrize("field", ["layers", "maps"])
def test_bits_of_a_layer_that_is_not_there_name_the_nearest(
    field: str, detector: Detector, bench: Workbench
) -> None:
    with pytest.raises(ValueError, match=rf"`{field}` must name layers .* mean `stages.1`"):
        replace(Quantize(images=4, lose=None), **{field: {"stage.1": 4}}).apply(detector, bench)


def test_training_on_the_grids_goes_on_at_the_rate_at_which_the_run_ended(
    detector: Detector, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float | None] = []

    def look(_bench: Workbench, held: Detector, length: FineTuning, *, name: str) -> Detector:
        rates.append(length.learning_rate)
        return held

    monkeypatch.setattr(Workbench, "fine_tune", look)
    Quantize(images=4, lose=None, epochs=1).apply(detector, bench)
    Quantize(images=4, lose=None, epochs=1, learning_rate=0.5).apply(detector, bench)
    assert rates == [pytest.approx(0.01 * bench.settings.learning_rate), 0.5]


def test_settings_are_written_and_read_back() -> None:
    step = Quantize(weight_bits=4, codebook=True, float_layers=("stem.stem1.0",), lose=None)
    step = replace(step, layers={"head": 6})
    assert steps_from_data(steps_to_data([step])) == (step,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight_bits": 9}, "from 2 to 8"),
        ({"layers": {"stem": 1}}, "`layers: stem` must be from 2 to 8"),
        ({"maps": {"stem": 4}, "activation_bits": None}, "`maps` needs `activation_bits`"),
        ({"layers": {"stem": 4}, "kilobytes": 9.0}, "give it or `layers`"),
        ({"lose": -1.0}, "at least 0 AP"),
        ({"teacher": "runs/x"}, "needs `epochs`"),
        ({"percentile": 10.0}, "50, 100"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Quantize(), **wrong)


def test_what_is_quantised_already_is_refused(detector: Detector, bench: Workbench) -> None:
    with pytest.raises(ValueError, match="quantised already"):
        Quantize().apply(quantized(detector), bench)


@pytest.mark.slow
def test_the_command_quantises_and_what_it_gives_is_exported(tmp_path: Path) -> None:
    detector = tiny_detector()
    torch.save(detector_to_data(detector), tmp_path / "start.pt")
    data = str(write_squares(tmp_path))
    how = "{Quantize: {images: 4, lose: 100}}"
    folder = tmp_path / "out" / "held"
    asked = ["compress", str(tmp_path / "start.pt"), "--data", data, "--how", how]
    asked += ["--out", str(tmp_path / "out"), "--name", "held"]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0, run.output
    assert isinstance(Detector.load(folder / "last.pt"), QuantizedDetector)
    file = tmp_path / "model.onnx"
    asked = ["export", str(folder / "last.pt"), "--to", "onnx", "--out", str(file), "--data", data]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0, run.output
    kinds = Counter(node.op_type for node in onnx.load(file).graph.node)
    assert kinds["DequantizeLinear"] > kinds["Conv"] > 20
