"""A detector, pictures and settings so small that a test can train with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocketdet.conventions import InputContract, Sample
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batches import TrainBatches
from pocketdet.data.loading.epoch_order import EpochOrder
from pocketdet.model import (
    BatchNorm,
    Detector,
    DetectorConfig,
    ExtraConvs,
    GFLHead,
    PeleeHead,
    PeleeStem,
    PriorLevel,
    SSDLiteHead,
    TwoWayDense,
    build,
)
from pocketdet.train.checkpoint import read_checkpoint, resume, save_checkpoints
from pocketdet.train.distributed import World
from pocketdet.train.loop import train
from pocketdet.train.plan import TrainPlan
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import TrainState, begin

TINY = DetectorConfig(
    input=InputContract(height=64, width=64),
    stem=PeleeStem(channels=8),
    stages=(
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
    ),
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16, norm=BatchNorm()),),
    head=PeleeHead(
        channels=16,
        priors=(
            PriorLevel(source=0, smallest=0.1, largest=0.25),
            PriorLevel(source=1, smallest=0.25, largest=0.5),
            PriorLevel(source=2, smallest=0.5, largest=0.9),
        ),
    ),
)

TINY_POINTS = replace(TINY, head=GFLHead(channels=16))
TINY_SHARED = replace(TINY, head=SSDLiteHead(channels=16, priors=TINY.head.priors))


def tiny_detector(config: DetectorConfig = TINY, *, seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    return build(config, num_classes=2)


def tiny_samples(number: int, *, seed: int = 0) -> list[Sample]:
    """Noise with one or two bright squares (class 0) or dark ones (class 1)."""
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    for index in range(number):
        image = rng.integers(100, 156, (3, 64, 64), dtype=np.uint8)
        boxes, labels = [], []
        for _ in range(int(rng.integers(1, 3))):
            x, y = (int(v) for v in rng.integers(0, 40, 2))
            w, h = (int(v) for v in rng.integers(10, 24, 2))
            label = int(rng.integers(2))
            image[:, y : y + h, x : x + w] = (230, 20)[label]
            boxes.append([x, y, x + w, y + h])
            labels.append(label)
        samples.append(
            Sample.of(torch.from_numpy(image), boxes, labels, image_id=f"picture{index}")
        )
    return samples


def tiny_settings(**changes: Any) -> TrainSettings:
    defaults: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.02,
        "num_workers": 0,
        "augmentation": AugmentSettings(min_box=1.0),
    }
    return TrainSettings(**(defaults | changes))


def tiny_batches(
    samples: list[Sample], settings: TrainSettings, world: World | None = None
) -> TrainBatches:
    world = world or World()
    return TrainBatches(
        samples,
        Augmentation(TINY.input, Traits(), settings.augmentation),
        EpochOrder(
            num_samples=len(samples),
            batch_size=settings.batch_size,
            seed=settings.seed,
            rank=world.rank,
            world_size=world.size,
        ),
        num_workers=0,
    )


def tiny_plan(
    settings: TrainSettings, *, num_samples: int = 12, world: World | None = None, **parts: Any
) -> TrainPlan:
    samples = tiny_samples(num_samples)
    return TrainPlan(
        settings=settings,
        batches=tiny_batches(samples, settings, world),
        world=world or World(),
        samples=samples,
        **parts,
    )


def train_tiny(
    settings: TrainSettings, *, config: DetectorConfig = TINY, **parts: Any
) -> TrainState:
    state = begin(tiny_detector(config, seed=settings.seed), settings)
    train(state, tiny_plan(settings, **parts))
    return state


def train_in_folder(folder: Path, settings: TrainSettings) -> TrainState:
    """Train, or go on after the last checkpoint, as often as it takes."""
    if (folder / "last.pt").is_file():
        state = resume(read_checkpoint(folder / "last.pt"), settings, World())
    else:
        state = begin(tiny_detector(seed=settings.seed), settings)
    plan = tiny_plan(
        settings,
        evaluate=pretended_ap,
        save=lambda state: save_checkpoints(folder, state, settings, {}),
    )
    train(state, plan)
    return state


def pretended_ap(detector: Detector) -> dict[str, float]:
    """A figure that depends on the weights and comes at once."""
    total = sum(float(value.detach().double().abs().mean()) for value in detector.parameters())
    return {"ap": total % 1.0}
