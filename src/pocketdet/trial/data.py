"""The data of trials: opened once, cut down once, and known by what is in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
import hashlib

import numpy as np

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.progress import Progress, silent
from pocketdet.runs.data import DataSource, TrainingData, open_training_data
from pocketdet.train.distributed import World


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialData:
    """Both splits as trials use them; `fingerprint` changes with any box, label or image file."""

    data: TrainingData
    fingerprint: str

    def subset(self, num_train: int | None, num_val: int | None) -> TrainingData:
        """Give so many images of each split, always the same ones, in the split's order."""
        return replace(
            self.data,
            train=_some(self.data.train, num_train, "num_train"),
            val=_some(self.data.val, num_val, "num_val"),
        )


def open_trial_data(source: DataSource, *, progress: Progress = silent) -> TrialData:
    """Read and repair both splits of a data set."""
    data = open_training_data(source, world=World(), progress=progress)
    if not data.val:
        raise ValueError(f"`{source.split_val}` of {source.data} must have an image to measure on.")
    return TrialData(data=data, fingerprint=_fingerprint(data))


def _some(samples: list[Sample], number: int | None, name: str) -> list[Sample]:
    if number is None:
        return samples
    if number > len(samples):
        raise ValueError(
            f"`{name}` must be at most the {len(samples)} images of its split; got {number}."
        )
    chosen = np.random.default_rng(0).permutation(len(samples))[:number]
    return [samples[place] for place in sorted(chosen)]


def _fingerprint(data: TrainingData) -> str:
    found = hashlib.sha256(repr((tuple(data.classes), data.traits)).encode())
    for samples in (data.train, data.val):
        for told in _told(samples):
            found.update(told)
    return found.hexdigest()[:16]


def _told(samples: Sequence[Sample]) -> Iterator[bytes]:
    for sample in samples:
        picture = sample.picture
        length = picture.path.stat().st_size if isinstance(picture, ImageFile) else picture.numel()
        yield f"{sample.image_id} {sample.size} {length}".encode()
        for tensor in (sample.boxes_xyxy, sample.labels, sample.difficult, sample.crowd):
            yield tensor.contiguous().numpy().tobytes()
    yield b"end"
