"""The same evaluator on an exported file gives the detector's own numbers."""

from pathlib import Path

import pytest
import torch

from pocketdet.conventions import ClassList, InputContract, Sample
from pocketdet.evaluate import evaluate_detector
from pocketdet.evaluate.exported import evaluate_file
from pocketdet.evaluate.place import open_any
from pocketdet.export import export_detector
from pocketdet.model import DetectorConfig, PeleeStem, TwoWayDense, build
from pocketdet.model.head import PeleeHead
from pocketdet.model.priors import prior_ladder
from pocketdet.runtime import Runner

SMALL = DetectorConfig(
    input=InputContract(height=64, width=64, resize="letterbox"),
    stem=PeleeStem(channels=8),
    stages=(TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),),
    levels_from=(0,),
    extras=(),
    head=PeleeHead(channels=16, priors=prior_ladder((0,), (0.3, 0.5))),
)


def test_numbers_of_the_file_are_those_of_the_detector(tmp_path: Path) -> None:
    detector = build(SMALL, classes=ClassList.of(["ant", "bee"])).eval()
    samples = [
        Sample.of(
            torch.randint(0, 256, (3, 50 + place, 80), dtype=torch.uint8),
            [[5, 5, 30, 30], [20, 10, 60, 40]],
            [0, 1],
            image_id=str(place),
        )
        for place in range(5)
    ]
    file = export_detector(detector, tmp_path / "model.onnx").file
    runner = open_any(file)
    assert isinstance(runner, Runner)
    expected, _ = evaluate_detector(detector, samples)
    found, detections = evaluate_file(runner, samples)
    assert len(detections) == 5
    assert found.num_detections > 0
    assert found.ap == pytest.approx(expected.ap, abs=1e-3)
    assert found.ar_100 == pytest.approx(expected.ar_100, abs=1e-3)
    with pytest.raises(ValueError, match="`device` must be cpu for an exported file"):
        open_any(file, "cuda")
