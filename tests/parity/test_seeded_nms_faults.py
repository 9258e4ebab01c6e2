"""A file whose NMS is another one: parity tries the usual others, and names what explains it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from exported_file import SMALL, lively, parity, pictures
import pytest
import torch
from torch import Tensor

from pocketdet.conventions import DecodeSettings
from pocketdet.export import ExportSettings, export_detector, network
from pocketdet.export.nms_operator import select_boxes
from pocketdet.export.tolerance import TOLERANCES
from pocketdet.parity.boxes import compare_boxes
from pocketdet.parity.subject import subject_of
from pocketdet.parity.suppression import suppression_of
from pocketdet.runtime import DetectionArrays

INSIDE = ExportSettings(nms="inside")


def agnostic_rows(boxes_xyxy: Tensor, scores: Tensor, settings: DecodeSettings) -> Tensor:
    best, labels = scores.max(dim=2)
    chosen = select_boxes(boxes_xyxy, best[:, None], settings)
    image, place = chosen[:, 0], chosen[:, 2]
    entries: list[Any] = [image[:, None].float(), boxes_xyxy[image, place]]
    entries += [best[image, place][:, None], labels[image, place][:, None].float()]
    return torch.cat(entries, dim=1)


def test_an_nms_over_all_classes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = lively(SMALL)
    # An untrained detector finds hundreds of boxes at NMS's edge.
    loose = replace(TOLERANCES["fp32"], unmatched=1.0)
    monkeypatch.setitem(TOLERANCES, "fp32", loose)
    monkeypatch.setattr(network, "detection_rows", agnostic_rows)
    report = parity(detector, export_detector(detector, tmp_path / "a.onnx", INSIDE).file)
    says = "B's NMS runs over all classes at once, and A's within each class"
    assert report.causes[0] == says, report.causes


def test_right_ways_are_not_explained_by_others() -> None:
    subject = subject_of(lively(SMALL))
    shown = [sample.image.permute(1, 2, 0).numpy() for sample in pictures(2)]
    found = subject.detect(shown)
    fewer = [
        DetectionArrays(
            boxes_xyxy=entry.boxes_xyxy[::2], scores=entry.scores[::2], labels=entry.labels[::2]
        )
        for entry in found
    ]
    boxes = compare_boxes(found, fewer, iou_threshold=subject.card.detection.iou_threshold)
    assert boxes.missing > 0
    assert not suppression_of(subject, shown, fewer, boxes)
