"""Exported files are the detector that they were made from, and one that is not is refused."""

from dataclasses import replace
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch

from pocketdet.conventions import ClassList, DecodeSettings, Detections, InputContract
from pocketdet.export import ExportSettings, RejectedExport, export_detector
from pocketdet.export.network import FileNetwork
from pocketdet.export.pictures import made_up_pictures
from pocketdet.export.proof import prove
from pocketdet.export.tolerance import TOLERANCES
from pocketdet.model import (
    Detector,
    DetectorConfig,
    DistanceCoder,
    ExtraConvs,
    GFLHead,
    PeleeHead,
    PeleeStem,
    TwoWayDense,
    build,
)
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.priors import prior_ladder
from pocketdet.requests.export import default_file
from pocketdet.runtime import DetectionArrays, card_path, open_runner, read_card
from pocketdet.runtime.sessions.installed import RUNTIMES

CLASSES = ClassList.of(["ant", "bee", "cat"])
TINY = DetectorConfig(
    input=InputContract(height=64, width=80),
    stem=PeleeStem(channels=8),
    stages=(
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1, stride=1),
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
    ),
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16),),
    head=PeleeHead(channels=16, priors=prior_ladder((0, 1, 2), (0.2, 0.4, 0.6, 0.8))),
)
WITHOUT_PRIORS = replace(TINY, head=GFLHead(channels=16, box_coder=DistanceCoder(num_bins=5)))


def lively(config: DetectorConfig, *, spread: float = 0.15) -> Detector:
    """Make a detector that is unsure of everything, so that it finds much and its boxes move."""
    torch.manual_seed(3)
    detector = build(config, classes=CLASSES)
    for parameter in detector.head.parameters():
        if parameter.ndim == 4:
            torch.nn.init.normal_(parameter, std=spread)
        elif len(parameter) == len(CLASSES):
            torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        detector.train()
        pictures = np.stack(made_up_pictures(config.input))
        for _ in range(20):
            detector(detector.preprocess(torch.from_numpy(pictures).permute(0, 3, 1, 2)))
    return detector.eval()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return lively(TINY)


WAYS = [
    (TINY, {}),
    (TINY, {"decode": "inside"}),
    (TINY, {"nms": "inside"}),
    (TINY, {"normalization": "outside"}),
    (TINY, {"precision": "fp16"}),
    (WITHOUT_PRIORS, {}),
    (WITHOUT_PRIORS, {"nms": "inside"}),
]


@pytest.mark.parametrize(("config", "way"), WAYS)
def test_an_onnx_file_finds_what_the_detector_finds(
    config: DetectorConfig, way: dict[str, Any], tmp_path: Path
) -> None:
    # In half precision an untrained network's boxes would move by pixels.
    own = lively(config, spread=0.05 if "precision" in way else 0.15)
    settings = ExportSettings(detection=DecodeSettings(score_threshold=0.02), **way)
    exported = export_detector(own, tmp_path / "model.onnx", settings)
    assert exported.proof.detections > 20
    assert exported.proof.unmatched <= 0.02 * exported.proof.detections
    pictures = [
        np.random.default_rng(n).integers(0, 256, (50 + n, 90, 3), np.uint8) for n in (1, 2)
    ]
    loose = 0.03 if settings.precision == "fp16" else 1e-4
    with open_runner(exported.file) as runner:
        found = runner.predict(pictures, score=0.1)
    expected = own.predict(
        [torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures], score=0.1
    )
    for one, other in zip(found, expected, strict=True):
        assert share_found(one, other, loose) > 0.97


def share_found(one: DetectionArrays, other: Detections, loose: float) -> float:
    """Give the share of `other` that stands in `one`, too; untrained networks have near ties."""
    boxes, scores = other.boxes_xyxy.numpy(), other.scores.numpy()
    near = np.abs(one.boxes_xyxy[None] - boxes[:, None]).max(axis=2) < 100 * loose
    near &= np.abs(one.scores[None] - scores[:, None]) < loose
    near &= one.labels[None] == other.labels.numpy()[:, None]
    return float(near.any(axis=1).mean())


def test_a_file_takes_any_batch_and_has_its_card_inside(detector: Detector, tmp_path: Path) -> None:
    exported = export_detector(detector, tmp_path / "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 64, 80), np.uint8)
    with open_runner(exported.file) as runner:
        together = runner.raw(images)
        for place in range(5):
            alone = runner.raw(images[place : place + 1])
            for name, values in alone.items():
                assert np.allclose(values[0], together[name][place], atol=1e-4)
    card_path(exported.file).unlink()
    assert read_card(exported.file) == exported.card
    assert exported.card.proof["detections"] == exported.proof.detections
    assert len(exported.card.origin["weights_sha256"]) == 64


class _Shifted(torch.nn.Module):
    """Differs between tracing and running, as a miscompiled file would."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: torch.Tensor) -> Any:
        logits, deltas, priors = self.detector(images)
        return type(self.detector(images))(
            logits, deltas + (0.3 if torch.jit.is_tracing() else 0.0), priors
        )


def test_a_file_that_differs_is_refused_and_the_old_one_stays(
    detector: Detector, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_detector(detector, path)
    before = path.read_bytes()
    with pytest.raises(RejectedExport, match="`box_deltas` is off by") as raised:
        export_detector(detector, path, network=_Shifted(detector))
    assert path.read_bytes() == before
    assert raised.value.file == tmp_path / "model.rejected.onnx"
    assert raised.value.file.is_file()
    assert raised.value.proof.outputs["class_logits"] < 1e-4
    onnx.checker.check_model(path)
    with open_runner(raised.value.file) as runner:  # so that it can be asked what differs
        assert runner.card.proof["detections"] == raised.value.proof.detections


@pytest.mark.parametrize(("moved", "is_allowed"), [(1, True), (40, False)])
def test_of_int8_a_few_boxes_may_be_far_off(
    moved: int, *, is_allowed: bool, detector: Detector, tmp_path: Path
) -> None:
    settings = ExportSettings(decode="inside", detection=DecodeSettings(score_threshold=0.02))
    exported = export_detector(lively(TINY), tmp_path / "model.onnx", settings)
    network = FileNetwork(lively(TINY), fold_batch_norm(lively(TINY)), settings).eval()
    contract = lively(TINY).contract
    with open_runner(exported.file) as runner:

        def raw(images: Any) -> Any:
            found = runner.raw(images)
            best = found["scores"].max(axis=-1).argsort(axis=-1)[0, ::-1][:moved]
            boxes = found["boxes_xyxy"].copy()
            boxes[: 1 if moved == 1 else None, best] += 12.0
            return {**found, "boxes_xyxy": boxes}

        shifted = SimpleNamespace(card=runner.card, prepare=runner.prepare, raw=raw)
        pictures = made_up_pictures(contract)
        strict = prove(cast(Any, shifted), network, pictures, TOLERANCES["fp32"])
        loose = prove(cast(Any, shifted), network, pictures, TOLERANCES["int8"])
    assert loose.detections >= 50
    assert strict.failures
    assert (not loose.failures) is is_allowed, loose.failures


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ({"to": "onxn"}, "`to` must be one of onnx"),
        ({"to": "torch", "precision": "fp16"}, "`precision` fp16 is written for"),
        ({"to": "ncnn", "nms": "inside"}, "`nms` can be inside for"),
        ({"to": "ncnn", "decode": "inside"}, "`decode` must be outside for ncnn"),
    ],
)
def test_what_a_runtime_does_not_take_is_refused(way: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ExportSettings(**way)


def test_a_runtime_that_cannot_prove_the_file_is_named_before_the_work(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNTIMES, "executorch", ("no_executorch", "executorch", "a .pte file"))
    with pytest.raises(ValueError, match=r"A .pte file is proven by running it, which needs"):
        export_detector(detector, tmp_path / "model.pte", ExportSettings(to="executorch"))


def test_int8_needs_a_quantised_network(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a network that is quantised"):
        export_detector(detector, tmp_path / "model.onnx", ExportSettings(precision="int8"))


@pytest.mark.parametrize(("first", "second"), [("xml", "param"), ("param", "xml")])
def test_a_file_whose_weights_would_be_overwritten_is_refused(
    first: str, second: str, detector: Detector, tmp_path: Path
) -> None:
    (tmp_path / f"model.{first}").touch()
    to = {"xml": "openvino", "param": "ncnn"}[second]
    with pytest.raises(ValueError, match=f"another name than model.{first}: both .* model.bin"):
        export_detector(detector, tmp_path / f"model.{second}", ExportSettings(to=to))


def test_no_two_runtimes_share_a_file_by_default(tmp_path: Path) -> None:
    tos = ("onnx", "openvino", "ncnn", "torch", "litert", "executorch")
    files = [default_file(tmp_path, ExportSettings(to=to)) for to in tos]
    assert len({file.with_suffix("") for file in files if file.suffix in (".xml", ".param")}) == 2
    assert len(set(files)) == len(files)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["openvino", "ncnn", "torch"])
@pytest.mark.parametrize("config", [TINY, WITHOUT_PRIORS], ids=["priors", "cells"])
def test_other_runtimes_find_the_same(to: Any, config: DetectorConfig, tmp_path: Path) -> None:
    if to != "torch":
        pytest.importorskip(to)
    settings = ExportSettings(to=to, detection=DecodeSettings(score_threshold=0.02))
    exported = export_detector(lively(config), tmp_path / f"model{settings.suffix}", settings)
    assert exported.proof.detections > 20
    assert max(exported.proof.outputs.values()) < 1e-4
    assert json.loads(card_path(exported.file).read_text())["runtime"] == to
