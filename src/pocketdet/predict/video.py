"""Detection in each frame of a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketdet.data.progress import Progress
from pocketdet.predict.draw import draw_found
from pocketdet.predict.prediction import DamagedFile, PredictSettings, VideoPrediction
from pocketdet.predict.predictor import Pixels, Predictor
from pocketdet.runtime.detections import DetectionArrays

USUAL_FRAMES_A_SECOND = 25.0  # for files that do not say


def predict_video(
    detector: Predictor, file: Path, drawn: Path, settings: PredictSettings, progress: Progress
) -> VideoPrediction | DamagedFile:
    """Detect in every frame that OpenCV can read, and write the frames with boxes to `drawn`."""
    capture = cv2.VideoCapture(str(file))
    num_frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    frames_a_second = capture.get(cv2.CAP_PROP_FPS) or USUAL_FRAMES_A_SECOND
    partial = drawn.with_name(f".{drawn.stem}.partial{drawn.suffix}")
    writer: _FrameWriter | None = None
    found: list[DetectionArrays] = []
    try:
        for frames in _groups(capture, settings.batch_size):
            writer = writer or _FrameWriter(partial, frames_a_second, frames[0])
            detections = detector.predict(frames, score=settings.score)
            for frame, entry in zip(frames, detections, strict=True):
                writer.write(_drawn_frame(frame, entry, detector))
            found.extend(detections)
            progress(file.name, len(found), max(num_frames, len(found)))
        if writer is None:
            return DamagedFile(file=str(file), problem=f"{file} has no frame that can be read.")
        writer.close()
        partial.replace(drawn)
        return VideoPrediction(
            file=str(file),
            height=writer.height,
            width=writer.width,
            frames_a_second=frames_a_second,
            frames=tuple(found),
            drawn=drawn.name,
        )
    finally:
        capture.release()
        partial.unlink(missing_ok=True)


class _FrameWriter:
    def __init__(self, path: Path, frames_a_second: float, first: Pixels) -> None:
        self.height, self.width = int(first.shape[0]), int(first.shape[1])
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(path), code, frames_a_second, (self.width, self.height))
        if not self._writer.isOpened():
            raise OSError(f"This OpenCV cannot write a video to {path}.")

    def write(self, pixels: NDArray[Any]) -> None:
        self._writer.write(pixels)

    def close(self) -> None:
        self._writer.release()


def _groups(capture: cv2.VideoCapture, size: int) -> Iterator[list[Pixels]]:
    group: list[Pixels] = []
    for frame in _frames(capture):
        group.append(frame)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _frames(capture: cv2.VideoCapture) -> Iterator[Pixels]:
    """Give (H, W, 3) uint8 RGB frames until none can be read."""
    while True:
        sound, pixels = capture.read()
        if not sound:
            return
        yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _drawn_frame(frame: Pixels, detections: DetectionArrays, detector: Predictor) -> NDArray[Any]:
    longer_side = max(frame.shape[:2])
    picture = draw_found(frame, detections, detector.classes, longer_side=longer_side)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
