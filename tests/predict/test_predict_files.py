"""Prediction goes on past damaged files and writes nothing over its inputs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pocketdet import recipes
from pocketdet.evaluate.eager_predictor import EagerPredictor
from pocketdet.model import Detector, build
from pocketdet.predict.files import PREDICTIONS, predict_files
from pocketdet.predict.inputs import Inputs, find_inputs
from pocketdet.predict.prediction import PredictSettings


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return build(recipes.PELEE_TINY, num_classes=2)


def write_image(path: Path, height: int = 50, width: int = 70) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def write_video(path: Path, num_frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(num_frames):
        writer.write(np.full((48, 64, 3), number * 40, dtype=np.uint8))
    writer.release()
    return path


def test_files_folders_and_patterns_give_each_file_once_in_order(tmp_path: Path) -> None:
    first = write_image(tmp_path / "b.png")
    second = write_image(tmp_path / "a" / "x.jpg")
    video = write_video(tmp_path / "a" / "film.avi")
    write_image(tmp_path / "out" / "old.jpg")
    inputs = find_inputs(
        [str(first), str(tmp_path), str(tmp_path / "*.png")], leave_out=tmp_path / "out"
    )
    assert inputs == Inputs(pictures=(first, second), videos=(video,))


@pytest.mark.parametrize("asked", ["absent.jpg", "absent*/x.png", ""])
def test_what_does_not_exist_is_named(
    tmp_path: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="must be"):
        find_inputs([asked])


def test_a_damaged_file_is_named_and_the_rest_is_done(detector: Detector, tmp_path: Path) -> None:
    good = write_image(tmp_path / "in" / "good.png")
    same_name = write_image(tmp_path / "in" / "sub" / "good.jpg")
    bad = tmp_path / "in" / "bad.jpg"
    bad.write_bytes(good.read_bytes()[:40])
    out = tmp_path / "out"
    report = predict_files(
        EagerPredictor(detector),
        find_inputs([str(tmp_path / "in")]),
        out,
        PredictSettings(score=0.1, batch_size=2),
    )
    assert [entry.file for entry in report.damaged] == [str(bad)]
    assert {picture.file for picture in report.pictures} == {str(good), str(same_name)}
    drawn = {picture.drawn for picture in report.pictures}
    assert len(drawn) == 2
    assert {file.name for file in out.iterdir()} == {*drawn, PREDICTIONS}
    data = json.loads((out / PREDICTIONS).read_text())
    assert data == json.loads(json.dumps(report.to_data()))
    picture = data["pictures"][0]
    assert (picture["height"], picture["width"]) == (50, 70)
    for detection in picture["detections"]:
        x1, y1, x2, y2 = detection["box_xyxy"]
        assert 0 <= x1 <= x2 <= 70
        assert 0 <= y1 <= y2 <= 50
        assert detection["score"] >= 0.1
        assert detection["class"] in detector.classes


def test_a_video_gives_detections_by_frame_and_a_drawn_video(
    detector: Detector, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "film.avi", num_frames=5)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    out = tmp_path / "out"
    report = predict_files(
        EagerPredictor(detector),
        find_inputs([str(video), str(broken)]),
        out,
        PredictSettings(batch_size=2),
    )
    (found,) = report.videos
    assert (len(found.frames), found.height, found.width) == (5, 48, 64)
    assert found.frames_a_second == pytest.approx(10)
    assert [entry.file for entry in report.damaged] == [str(broken)]
    assert {file.name for file in out.iterdir()} == {"film.mp4", PREDICTIONS}
    capture = cv2.VideoCapture(str(out / "film.mp4"))
    assert sum(capture.read()[0] for _ in range(8)) == 5


def test_pictures_are_never_written_over(detector: Detector, tmp_path: Path) -> None:
    picture = write_image(tmp_path / "x.jpg")
    before = picture.read_bytes()
    with pytest.raises(ValueError, match=r"x\.jpg would be overwritten"):
        predict_files(EagerPredictor(detector), find_inputs([str(picture)]), tmp_path)
    assert picture.read_bytes() == before
