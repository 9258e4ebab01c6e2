"""One way to run any exported file."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions.class_list import ClassList
from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.runtime.card import Card
from pocketdet.runtime.decode import clip_boxes, decode_outputs
from pocketdet.runtime.detections import DetectionArrays

Arrays = dict[str, NDArray[Any]]


class Session(Protocol):
    """A file that a runtime has loaded."""

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        """Run once on (b, 3, H, W), as the card's input says, and give the outputs by name."""
        ...

    def close(self) -> None:
        """Give back what the file holds."""
        ...


class Runner:
    """An exported file that is ready to run, with its card; made by `open_runner`.

    A `with` closes it at its end.
    """

    def __init__(self, session: Session, card: Card) -> None:
        self._session = session
        self.card = card

    @property
    def classes(self) -> ClassList:
        """The class names, by label."""
        return self.card.classes

    def raw(self, images: NDArray[np.uint8]) -> Arrays:
        """Give the file's outputs, by name, for (b, 3, H, W) uint8 RGB pictures of its size.

        A file of a fixed batch is called as often as it takes; a last batch that is not full is
        filled up with its last picture, and what that gives is left out.
        """
        inputs = self.prepare(images)
        batch = self.card.input.batch
        if batch is None or len(inputs) == batch:
            return self._session.run(inputs)
        parts = [
            self._run_part(inputs[start : start + batch], batch)
            for start in range(0, len(inputs), batch)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def prepare(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Turn (b, 3, H, W) uint8 RGB pictures into what the file takes."""
        own = self.card.input
        wanted = (3, own.contract.height, own.contract.width)
        if images.ndim != 4 or images.shape[1:] != wanted or images.dtype != np.uint8:
            raise ValueError(
                f"`images` must be uint8 RGB of (b, {wanted[0]}, {wanted[1]}, {wanted[2]}); got "
                f"{images.dtype} of {images.shape}. `fit` makes them from pictures of any size."
            )
        if own.normalization == "outside":
            return np.ascontiguousarray(own.contract.normalize_array(images))
        return np.ascontiguousarray(images, dtype=own.dtype)

    def predict(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        *,
        score: float | None = None,
        settings: DecodeSettings | None = None,
    ) -> list[DetectionArrays]:
        """Detect in (H, W, 3) uint8 RGB pictures of any size, in each picture's own pixels.

        The whole sequence is one batch. `settings` replaces the card's thresholds, and `score`
        their lowest score.
        """
        if not pictures:
            return []
        settings = settings or self.card.detection
        if score is not None:
            settings = replace(settings, score_threshold=score)
        fitted = [self.card.contract.fit_pixels(picture) for picture in pictures]
        batch = np.stack([pixels.transpose(2, 0, 1) for pixels, _ in fitted])
        outputs = self.raw(batch)
        found = decode_outputs(outputs, self.card, settings, batch_size=len(batch))
        results: list[DetectionArrays] = []
        for picture, (_, placement), entry in zip(pictures, fitted, found, strict=True):
            boxes = placement.array_to_image(entry.boxes_xyxy)
            boxes = clip_boxes(boxes, height=picture.shape[0], width=picture.shape[1])
            results.append(replace(entry, boxes_xyxy=boxes))
        return results

    def close(self) -> None:
        """Give back what the file holds; the runner must not be used afterwards."""
        self._session.close()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run_part(self, inputs: NDArray[Any], batch: int) -> Arrays:
        missing = batch - len(inputs)
        if not missing:
            return self._session.run(inputs)
        full = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
        return {name: values[: len(inputs)] for name, values in self._session.run(full).items()}
