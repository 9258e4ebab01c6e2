"""A process that draws its share of the scenes: `python -m pocketdet.data.digits.scene_worker JOB`.

A process of its own, not a `multiprocessing` one, because that would run a user's script again
wherever its main part is unguarded, or fork a process in which torch's threads hold locks.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import sys

import cv2
import simplejpeg

from pocketdet.data.digits.handwriting import Half
from pocketdet.data.digits.scenes import draw_scene

JPEG_QUALITY = 92


@dataclass(frozen=True, kw_only=True)
class SceneJob:
    """Which scenes to draw: every `num_shares`-th of each half, beginning with `share`."""

    folder: str
    num_train: int
    num_val: int
    seed: int
    share: int
    num_shares: int

    def to_text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class DrawnScene:
    """What is said of a scene whose JPEG is written."""

    half: Half
    index: int
    file_name: str
    height: int
    width: int
    boxes_xyxy: list[list[float]]
    labels: list[int]

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "DrawnScene":
        return cls(**json.loads(line))


def draw_share(job: SceneJob) -> Iterator[DrawnScene]:
    """Draw the scenes of a job and write each as a JPEG."""
    for half, number in _numbers(job):
        scene = draw_scene(number, half=half, seed=job.seed)
        file_name = f"{half}_{number:05d}.jpg"
        data = simplejpeg.encode_jpeg(scene.image, quality=JPEG_QUALITY)
        (Path(job.folder) / file_name).write_bytes(data)
        yield DrawnScene(
            half=half,
            index=number,
            file_name=file_name,
            height=scene.image.shape[0],
            width=scene.image.shape[1],
            boxes_xyxy=scene.boxes_xyxy.tolist(),
            labels=scene.labels.tolist(),
        )


def _numbers(job: SceneJob) -> Iterator[tuple[Half, int]]:
    halves: tuple[tuple[Half, int], ...] = (("train", job.num_train), ("val", job.num_val))
    for half, num_scenes in halves:
        for number in range(job.share, num_scenes, job.num_shares):
            yield half, number


def main() -> None:
    """Draw the job in the first argument and write one line a scene to stdout."""
    cv2.setNumThreads(1)
    try:
        for drawn in draw_share(SceneJob(**json.loads(sys.argv[1]))):
            # One write a line, so that the lines of several processes do not mix.
            os.write(sys.stdout.fileno(), drawn.to_line())
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)  # whoever wanted the scenes is gone


if __name__ == "__main__":
    main()
