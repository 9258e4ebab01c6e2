"""The data of a training run: two splits, repaired, as samples and as batches."""

from dataclasses import dataclass, replace
import os

import torch

from pocketdet.conventions import ClassList, InputContract, Sample
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.cache_folder import cache_folder
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batches import TrainBatches
from pocketdet.data.loading.epoch_order import EpochOrder, RoundOrder
from pocketdet.data.loading.image_cache import cached_images
from pocketdet.data.open import open_dataset
from pocketdet.data.progress import Progress
from pocketdet.data.repair import RepairSummary, repair_dataset
from pocketdet.evaluate.class_match import labels_by_name
from pocketdet.train.distributed import World
from pocketdet.train.settings import TrainSettings

MOST_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Where the data of a run is: a data set's folder or name, and two of its splits."""

    data: str
    split_train: str = "train"
    split_val: str = "val"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Samples of both splits, fit to train on, and what was repaired in them."""

    classes: ClassList
    traits: Traits
    train: list[Sample]
    val: list[Sample]
    repairs: RepairSummary


def open_training_data(
    source: DataSource, *, world: World, progress: Progress, classes: ClassList | None = None
) -> TrainingData:
    """Read and repair both splits; labels are places in `classes`, or in the data's own list.

    The first process goes first, so that what has to be made on first use is made once.
    """
    if not world.is_main:
        world.tell_all(None)
    dataset = open_dataset(source.data, progress=progress)
    names = (source.split_train, source.split_val)
    chosen = replace(dataset, splits={name: dataset.split(name) for name in names})
    repaired, repairs = repair_dataset(chosen, progress=progress)
    if world.is_main:
        world.tell_all(None)
    classes = classes or dataset.classes
    train, val = (
        labels_by_name(
            repaired.splits[name], data_classes=dataset.classes, detector_classes=classes
        )
        for name in names
    )
    if not train:
        raise ValueError(
            f"`{source.split_train}` of {source.data} must have an image to train on; none is "
            f"left after repair. {repairs}"
        )
    return TrainingData(
        classes=classes, traits=dataset.traits, train=train, val=val, repairs=repairs
    )


def training_batches(
    data: TrainingData,
    contract: InputContract,
    settings: TrainSettings,
    *,
    world: World,
    progress: Progress,
    steps_per_round: int | None = None,
) -> TrainBatches:
    """Make this process's part of the training batches.

    An epoch is a pass over the data, or a round of `steps_per_round` batches.
    """
    cache = None
    if settings.cache:
        if not world.is_main:
            world.tell_all(None)
        cache = cached_images(data.train, contract, cache_folder(), progress=progress)
        if world.is_main:
            world.tell_all(None)
    order = EpochOrder(
        num_samples=len(data.train),
        batch_size=settings.batch_size,
        seed=settings.seed,
        rank=world.rank,
        world_size=world.size,
    )
    return TrainBatches(
        data.train,
        Augmentation(contract, data.traits, settings.augmentation),
        order if steps_per_round is None else RoundOrder(passes=order, num_steps=steps_per_round),
        cache=cache,
        num_workers=resolve_workers(settings.num_workers, world.device),
        pin=world.device.type == "cuda",
    )


def resolve_workers(num_workers: int | None, device: torch.device) -> int:
    """Choose how many processes prepare batches, where the settings leave it open.

    Training on a CPU uses all cores itself: a process beside it makes torch's threads wait for
    each other, which costs more than preparing the batches in between (benchmarks/input.py).
    """
    if num_workers is not None:
        return num_workers
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = (cores or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(MOST_WORKERS, max(0, share - 1))
