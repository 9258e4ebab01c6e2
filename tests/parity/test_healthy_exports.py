"""What is right is said to be the same, over parts that are exported in different ways."""

from dataclasses import replace
from pathlib import Path

from exported_file import SMALL, WITH_NECK, lively, parity, pictures, write_file
import pytest

from pocketdet.export import export_detector
from pocketdet.model import CBAM, DetectorConfig, GFLHead, L2Norm, PixelShuffle, TopDown
from pocketdet.model.fold import fold_batch_norm

HEALTHY: dict[str, DetectorConfig] = {
    "small": SMALL,
    "bilinear neck": WITH_NECK,
    "shuffled neck": replace(SMALL, neck=TopDown(channels=16, upsample=PixelShuffle())),
    "attention": replace(SMALL, attention=CBAM()),
    "points": replace(SMALL, head=GFLHead(channels=16)),
    "channel norms": replace(SMALL, norm=L2Norm()),
    "odd sizes": replace(SMALL, input=replace(SMALL.input, height=72, width=104)),
}


@pytest.mark.parametrize("config", HEALTHY.values(), ids=HEALTHY)
def test_a_right_export_is_the_same_detector(config: DetectorConfig, tmp_path: Path) -> None:
    detector = lively(config)
    report = parity(detector, write_file(detector, tmp_path / "a.onnx"))
    assert report.verdict.startswith("the same detector: boxes within"), report.causes
    assert report.layers is not None
    assert report.first_layer is None, report.first_layer
    assert len(report.layers.layers) > 0.6 * report.layers.num_results


def test_a_folded_export_is_the_same_detector(tmp_path: Path) -> None:
    detector = lively(WITH_NECK)
    file = write_file(fold_batch_norm(detector), tmp_path / "a.onnx")
    assert parity(detector, file).same


@pytest.mark.slow
def test_a_file_of_the_export_package_is_the_same_detector(tmp_path: Path) -> None:
    detector = lively()
    inputs = [sample.image.permute(1, 2, 0).numpy() for sample in pictures(2, height=64, width=96)]
    export_detector(detector, tmp_path / "a.onnx", pictures=inputs)
    report = parity(detector, tmp_path / "a.onnx")
    assert report.same, report.causes
    assert report.layers is not None
    assert report.first_layer is None
