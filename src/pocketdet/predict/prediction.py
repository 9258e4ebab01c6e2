"""Detections in files, as plain data for predictions.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pocketdet.conventions.class_list import ClassList
from pocketdet.runtime.detections import DetectionArrays


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """How files are looked at: the lowest score that is shown, and pictures at once."""

    score: float = 0.3
    batch_size: int = 8

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"`score` must be in [0, 1]; got {self.score}.")
        if self.batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1; got {self.batch_size}.")


@dataclass(frozen=True, kw_only=True)
class DamagedFile:
    """A file that could not be read, and why."""

    file: str
    problem: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PicturePrediction:
    """What was found in one picture; `drawn` is the name of the picture with boxes."""

    file: str
    height: int
    width: int
    detections: DetectionArrays
    drawn: str


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoPrediction:
    """What was found in each frame of a video; `drawn` is the name of the video with boxes."""

    file: str
    height: int
    width: int
    frames_a_second: float
    frames: tuple[DetectionArrays, ...]
    drawn: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionReport:
    """All that was found, in pixels of each picture, above the lowest `score`."""

    classes: ClassList
    score: float
    pictures: tuple[PicturePrediction, ...]
    videos: tuple[VideoPrediction, ...]
    damaged: tuple[DamagedFile, ...]

    @property
    def num_detections(self) -> int:
        pictures = sum(len(picture.detections) for picture in self.pictures)
        return pictures + sum(len(frame) for video in self.videos for frame in video.frames)

    def to_data(self) -> dict[str, Any]:
        """Give plain data: each detection has class, score and `box_xyxy` in image pixels."""
        return {
            "classes": list(self.classes),
            "score": self.score,
            "pictures": [
                {
                    "file": picture.file,
                    "drawn": picture.drawn,
                    "height": picture.height,
                    "width": picture.width,
                    "detections": detections_to_data(picture.detections, self.classes),
                }
                for picture in self.pictures
            ],
            "videos": [
                {
                    "file": video.file,
                    "drawn": video.drawn,
                    "height": video.height,
                    "width": video.width,
                    "frames_a_second": video.frames_a_second,
                    "frames": _frames_to_data(video.frames, self.classes),
                }
                for video in self.videos
            ],
            "damaged": [{"file": entry.file, "problem": entry.problem} for entry in self.damaged],
        }


def detections_to_data(detections: DetectionArrays, classes: ClassList) -> list[dict[str, Any]]:
    """Give detections as plain data, best first."""
    return [
        {
            "class": classes[label],
            "score": round(score, 6),
            "box_xyxy": [round(value, 3) for value in box],
        }
        for label, score, box in zip(
            detections.labels.tolist(),
            detections.scores.tolist(),
            detections.boxes_xyxy.tolist(),
            strict=True,
        )
    ]


def _frames_to_data(frames: Sequence[DetectionArrays], classes: ClassList) -> list[dict[str, Any]]:
    return [
        {"frame": place, "detections": detections_to_data(frame, classes)}
        for place, frame in enumerate(frames)
    ]
