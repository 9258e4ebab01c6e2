"""What `pocketdet predict` does: look at files, draw what is found, and write it down."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path

import numpy as np

from pocketdet.conventions.image_decoding import UnreadableImage, read_rgb
from pocketdet.data.formats.image_folder import image_ids
from pocketdet.data.progress import Progress, silent
from pocketdet.predict.draw import draw_found
from pocketdet.predict.inputs import Inputs
from pocketdet.predict.output_file import write_bytes, write_pixels
from pocketdet.predict.prediction import (
    DamagedFile,
    PicturePrediction,
    PredictionReport,
    PredictSettings,
    VideoPrediction,
)
from pocketdet.predict.predictor import Pixels, Predictor
from pocketdet.predict.video import predict_video

NUM_READERS = 2
PREDICTIONS = "predictions.json"


def predict_files(
    detector: Predictor,
    inputs: Inputs,
    out: Path,
    settings: PredictSettings | None = None,
    *,
    progress: Progress = silent,
) -> PredictionReport:
    """Detect in pictures and videos; write drawn ones and predictions.json into `out`.

    A file that cannot be read is listed as damaged, and the rest goes on.
    """
    settings = settings or PredictSettings()
    files = [*inputs.pictures, *inputs.videos]
    names = image_ids([file.name for file in files])
    pictures = {
        file: out / f"{name}.jpg"
        for file, name in zip(inputs.pictures, names[: len(inputs.pictures)], strict=True)
    }
    videos = {
        file: out / f"{name}.mp4"
        for file, name in zip(inputs.videos, names[len(pictures) :], strict=True)
    }
    _refuse_to_overwrite(files, [*pictures.values(), *videos.values()])
    out.mkdir(parents=True, exist_ok=True)
    outcomes = [
        *_predict_pictures(detector, pictures, settings, progress),
        *(
            predict_video(detector, file, drawn, settings, progress)
            for file, drawn in videos.items()
        ),
    ]
    report = PredictionReport(
        classes=detector.classes,
        score=settings.score,
        pictures=tuple(o for o in outcomes if isinstance(o, PicturePrediction)),
        videos=tuple(o for o in outcomes if isinstance(o, VideoPrediction)),
        damaged=tuple(o for o in outcomes if isinstance(o, DamagedFile)),
    )
    write_bytes(out / PREDICTIONS, json.dumps(report.to_data(), indent=2).encode())
    return report


def _predict_pictures(
    detector: Predictor,
    pictures: dict[Path, Path],
    settings: PredictSettings,
    progress: Progress,
) -> Iterator[PicturePrediction | DamagedFile]:
    done = 0
    for chunk in _read_ahead(list(pictures), settings.batch_size):
        images = [image for _, image in chunk if isinstance(image, np.ndarray)]
        found = iter(detector.predict(images, score=settings.score) if images else [])
        for file, image in chunk:
            if isinstance(image, DamagedFile):
                yield image
                continue
            detections = next(found)
            drawn = pictures[file]
            write_pixels(drawn, draw_found(image, detections, detector.classes))
            yield PicturePrediction(
                file=str(file),
                height=image.shape[0],
                width=image.shape[1],
                detections=detections,
                drawn=drawn.name,
            )
        done += len(chunk)
        progress("pictures", done, len(pictures))


def _read_ahead(
    files: Sequence[Path], size: int
) -> Iterator[list[tuple[Path, Pixels | DamagedFile]]]:
    """Read files in groups, the next group while the last one is worked on."""
    groups = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(NUM_READERS) as pool:
        coming = [pool.submit(_read, file) for file in (groups[0] if groups else ())]
        for place, group in enumerate(groups):
            following = groups[place + 1] if place + 1 < len(groups) else ()
            ready, coming = coming, [pool.submit(_read, file) for file in following]
            yield list(zip(group, (future.result() for future in ready), strict=True))


def _read(file: Path) -> Pixels | DamagedFile:
    try:
        return read_rgb(file)
    except UnreadableImage as error:
        return DamagedFile(file=str(file), problem=str(error))


def _refuse_to_overwrite(files: Sequence[Path], results: Sequence[Path]) -> None:
    originals = {file.resolve() for file in files}
    for result in results:
        if result.resolve() in originals:
            raise ValueError(
                f"`--out` must not be the folder of the pictures: {result} would be overwritten."
            )
