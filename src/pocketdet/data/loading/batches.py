"""Batches for training and evaluation, made by worker processes or in this one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
import pickle
import signal
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from pocketdet.conventions import ImageFile, InputContract, Placement, Sample, UnreadableImage
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.loading.batch import Batch, collate
from pocketdet.data.loading.epoch_order import Draw, EpochOrder, RoundOrder, sample_rng
from pocketdet.data.loading.image_cache import ImageCache

__all__ = ["Batch", "TrainBatches", "eval_batches"]

Made = tuple[Sample, int, Placement | None]


class _Failure:
    """An unreadable image, sent from a worker as a value so that its message stays readable."""

    def __init__(self, message: str) -> None:
        self.message = message


class TrainBatches:
    """Augmented batches of one process, the same for the same seed and epoch, however often.

    Neither `num_workers` nor the number of processes changes what is in a global batch: see
    `EpochOrder`. The workers go on with the first batches of the next epoch while this one is
    evaluated, and are started once.

    - `augmentation` also says the contract; `order` the batch size, seed and rank, and whether
      an epoch is a pass or a round;
    - `cache`: decoded pictures, read in place of the image files;
    - `num_workers`: processes; 0 makes batches in this one, when they are asked for;
    - `pin`: page-locked memory, where there is a GPU.

    An image that cannot be read raises `UnreadableImage` with its name.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        augmentation: Augmentation,
        order: EpochOrder | RoundOrder,
        *,
        cache: ImageCache | None = None,
        num_workers: int = 0,
        pin: bool = False,
    ) -> None:
        if order.num_samples != len(samples):
            raise ValueError(
                f"`order` must be for the {len(samples)} samples; it is for {order.num_samples}."
            )
        self._order = order
        self._stream = _Stream(order)
        self._loader = _loader(
            _TrainingItems(samples, augmentation, cache, order.seed),
            batch_sampler=self._stream,
            num_workers=num_workers,
            pin=pin,
        )
        self._batches: Iterator[Batch | _Failure] | None = None
        self._next_epoch: int | None = None
        self._runs = 0

    def __len__(self) -> int:
        """Give the number of batches in an epoch, which all ranks share."""
        return self._order.num_steps

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch; epochs may be asked for in any order, one at a time."""
        if self._batches is None or self._next_epoch != number:
            self._stream.start = number
            self._batches = iter(self._loader)
        batches = self._batches
        self._next_epoch = None  # An epoch that is left early leaves the stream in between.
        self._runs += 1
        run = self._runs
        for step in range(len(self)):
            if run != self._runs:
                raise RuntimeError(
                    f"epoch {number} cannot go on: another epoch of the same `TrainBatches` "
                    "has begun."
                )
            batch = _sound(next(batches))
            if step == len(self) - 1:
                self._next_epoch = number + 1
            yield batch


class EvalBatches:
    """What `eval_batches` gives: an iterable of batches with a length."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._loader:
            yield _sound(batch)


def eval_batches(
    samples: Sequence[Sample],
    contract: InputContract,
    *,
    batch_size: int,
    num_workers: int = 0,
    pin: bool = False,
) -> EvalBatches:
    """Give the pictures in their order, fitted to the contract and not augmented.

    The result can be gone through again and again; its workers are started once. The last
    batch may be smaller. `placements` lead back to the picture's pixels.
    """
    return EvalBatches(
        _loader(
            _EvaluationItems(samples, contract),
            batch_size=batch_size,
            num_workers=num_workers,
            pin=pin,
        )
    )


class _Items(Dataset[Made | _Failure]):
    """Pickled as plain bytes: torch's own way would open one shared file for each tensor."""

    def __getstate__(self) -> bytes:
        return pickle.dumps(self.__dict__)

    def __setstate__(self, state: bytes) -> None:
        self.__dict__.update(pickle.loads(state))


class _TrainingItems(_Items):
    def __init__(
        self,
        samples: Sequence[Sample],
        augmentation: Augmentation,
        cache: ImageCache | None,
        seed: int,
    ) -> None:
        self._samples = samples
        self._augmentation = augmentation
        self._cache = cache
        self._seed = seed

    def __getitem__(self, draw: Draw) -> Made | _Failure:
        sample = self._samples[draw.sample]
        return _made(sample, lambda: (self._augmented(sample, draw), draw.sample, None))

    def _augmented(self, sample: Sample, draw: Draw) -> Sample:
        if self._cache is not None:
            sample = self._cache.load(sample)
        return self._augmentation(sample, sample_rng(self._seed, draw))


class _EvaluationItems(_Items):
    def __init__(self, samples: Sequence[Sample], contract: InputContract) -> None:
        self._samples = samples
        self._contract = contract

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Made | _Failure:
        sample = self._samples[index]
        return _made(sample, lambda: self._fitted(sample, index))

    def _fitted(self, sample: Sample, index: int) -> Made:
        image, placement = self._contract.fit(sample.image)
        boxes_xyxy = placement.to_input(sample.boxes_xyxy)
        return replace(sample, picture=image, boxes_xyxy=boxes_xyxy), index, placement


def _made(sample: Sample, make: Callable[[], Made]) -> Made | _Failure:
    try:
        return make()
    except UnreadableImage as error:
        return _Failure(str(error))
    except Exception as error:
        picture = sample.picture
        name = picture.path if isinstance(picture, ImageFile) else sample.image_id
        raise RuntimeError(f"{name} could not be made into an input: {error!r}.") from error


def _collated(items: list[Made | _Failure]) -> Batch | _Failure:
    made: list[Made] = []
    for item in items:
        if isinstance(item, _Failure):
            return item
        made.append(item)
    placements = [placement for _, _, placement in made if placement is not None]
    return collate([item[0] for item in made], [item[1] for item in made], placements)


def _sound(batch: Batch | _Failure) -> Batch:
    if isinstance(batch, _Failure):
        raise UnreadableImage(batch.message)
    return batch


class _Stream:
    """The batches of all epochs from `start` on, as the loader's batch sampler."""

    def __init__(self, order: EpochOrder | RoundOrder) -> None:
        self._order = order
        self.start = 0

    def __iter__(self) -> Iterator[list[Draw]]:
        return self._order.stream(self.start)


def _loader(items: Dataset[Any], *, num_workers: int, pin: bool, **how: Any) -> Any:
    # OpenCV's own threads would take the cores from torch, here and in every worker.
    cv2.setNumThreads(0)
    return DataLoader(
        items,
        num_workers=num_workers,
        collate_fn=_collated,
        pin_memory=pin and torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
        worker_init_fn=_start_worker,
        # A generator of its own: the loader draws a seed that nobody uses from torch's.
        generator=torch.Generator(),
        **how,
    )


def _start_worker(worker: int) -> None:
    # Ctrl-C reaches the whole group; the main process ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
