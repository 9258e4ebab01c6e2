"""Files of OpenVINO and ncnn, layer by layer: healthy ones, and a fault in the graph."""

from dataclasses import replace
from pathlib import Path

from exported_file import WITH_NECK, edit, file_card, lively, parity, write_file
import numpy as np
import pytest

from pocketdet.export import ExportSettings, export_detector
from pocketdet.model import Detector
from pocketdet.parity.taps import TAPS
from pocketdet.runtime import write_card


def as_openvino(onnx_file: Path, detector: Detector) -> Path:
    openvino = pytest.importorskip("openvino")
    path = onnx_file.with_suffix(".xml")
    openvino.save_model(openvino.convert_model(onnx_file), path, compress_to_fp16=False)
    write_card(replace(file_card(detector), runtime="openvino"), path)
    return path


def test_a_right_openvino_file_has_no_layer_that_errs(tmp_path: Path) -> None:
    detector = lively(WITH_NECK)
    report = parity(detector, as_openvino(write_file(detector, tmp_path / "a.onnx"), detector))
    assert report.same, report.causes
    assert report.layers is not None
    assert report.first_layer is None, report.first_layer
    assert len(report.layers.layers) > 0.8 * report.layers.num_results


@pytest.mark.slow
def test_a_resize_of_another_convention_in_openvino(tmp_path: Path) -> None:
    detector = lively(WITH_NECK)
    file = write_file(detector, tmp_path / "a.onnx")

    def align(node: object) -> None:
        for attribute in node.attribute:  # pyright: ignore
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"align_corners"

    assert edit(file, "Resize", align) == 1
    report = parity(detector, as_openvino(file, detector))
    assert "in neck.upsample.0 (resize.py:" in report.verdict
    assert "it resizes by another convention: linear, corners aligned" in report.verdict


def test_ncnn_is_compared_by_its_blobs_and_a_resize_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    detector = lively(WITH_NECK)
    file = export_detector(detector, tmp_path / "a.param", ExportSettings(to="ncnn")).file
    report = parity(detector, file)
    assert report.same, report.causes
    assert report.layers is not None
    assert report.first_layer is None, report.first_layer
    assert len(report.layers.layers) > 0.8 * report.layers.num_results

    lines = file.read_text().splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.startswith("Interp ")]
    assert "6=0" in lines[place]
    lines[place] = lines[place].replace("6=0", "6=1")
    file.write_text("\n".join(lines) + "\n")
    report = parity(detector, file)
    assert "in neck.upsample.0 (resize.py:" in report.verdict
    assert "corners aligned" in report.verdict


def test_a_bias_that_openvino_adds_apart_is_part_of_its_convolution(tmp_path: Path) -> None:
    detector = lively(WITH_NECK)
    file = write_file(detector, tmp_path / "a.onnx")
    image = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    onnx_taps = TAPS[".onnx"](file, image)
    taps = TAPS[".xml"](as_openvino(file, detector), image)
    convolutions = [tap for tap in taps if tap.kind == "Convolution"]
    wanted = [tap for tap in onnx_taps if tap.kind == "Conv"]
    assert len(convolutions) == len(wanted)
    for tap in convolutions:
        alike = [other for other in wanted if other.value.shape == tap.value.shape]
        assert any(np.allclose(tap.value, other.value, atol=1e-3) for other in alike)
