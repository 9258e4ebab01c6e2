"""How fast pictures come, and how long training waits for them.

    python benchmarks/input.py                 # both parts, generated 640x480 JPEGs
    python benchmarks/input.py --data FOLDER   # the same on a data set of your own
    python benchmarks/input.py --recipe PELEE_TINY --batch-size 16 --workers 0 1 --write

First part: images a second that one core makes, in processor time, so that a busy machine
counts little. Second part: steps of a real training (`pocketdet.train`) with the loader, and
with one batch fed again and again, in turns; the ratio of their speeds is what the goal of
0.97 is about. `--write` puts the tables into `benchmarks/results/input-DATE.md`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import count
import os
from pathlib import Path
import platform
from statistics import median
from tempfile import TemporaryDirectory
import time

import cv2
import numpy as np
from sklearn.datasets import load_sample_images
import torch

from pocketdet import recipes
from pocketdet.conventions import ImageFile, InputContract, Sample
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.augment.settings import (
    LIGHT_AUGMENT,
    NO_AUGMENT,
    PELEE_AUGMENT,
    AugmentSettings,
)
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batches import Batch, TrainBatches
from pocketdet.data.loading.epoch_order import EpochOrder
from pocketdet.data.loading.image_cache import ImageCache, cached_images
from pocketdet.data.loading.prefetch import prefetched
from pocketdet.data.open import open_dataset
from pocketdet.data.repair import repair
from pocketdet.model import build
from pocketdet.train.distributed import World, resolve_device
from pocketdet.train.plan import TrainPlan
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import begin
from pocketdet.train.step import Stepper

NUM_GENERATED = 96
NUM_CLASSES = 10
SETTLING_STEPS = 4

AUGMENTATIONS: dict[str, AugmentSettings] = {
    "none (decode, resize)": NO_AUGMENT,
    "flip": replace(NO_AUGMENT, flip_probability=0.5),
    "photometric": replace(NO_AUGMENT, photometric_probability=0.5),
    "expand to 4": replace(NO_AUGMENT, expand_probability=0.5),
    "crop": replace(NO_AUGMENT, crop_min_ious=PELEE_AUGMENT.crop_min_ious),
    "five interpolations": replace(NO_AUGMENT, interpolations=PELEE_AUGMENT.interpolations),
    "LIGHT_AUGMENT": LIGHT_AUGMENT,
    "PELEE_AUGMENT": PELEE_AUGMENT,
}


@dataclass(frozen=True, kw_only=True)
class Options:
    data: str | None
    recipe: str
    batch_size: int
    workers: list[int]
    rounds: int
    steps: int
    threads: int
    device: str
    write: bool


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)
    lines: list[str] = []
    for line in report(options):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        path = Path(__file__).parent / "results" / f"input-{date.today()}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(options: Options) -> Iterator[str]:
    """Measure line by line."""
    contract = recipes.names()[options.recipe].input
    with TemporaryDirectory() as folder:
        samples = read(options.data) if options.data else generated(Path(folder))
        cache = cached_images(samples, contract, Path(folder) / "cache")
        yield from heading(options, samples, contract)
        yield from core_table(samples, contract, cache)
        yield from waiting_table(options, samples, cache)


def parse() -> Options:
    parser = argparse.ArgumentParser(
        description="How fast pictures come, and how long training waits for them."
    )
    parser.add_argument("--data", help="a data set; without it JPEGs are generated")
    parser.add_argument("--recipe", default="PELEE_TINY", choices=sorted(recipes.names()))
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--rounds", type=int, default=4, help="turns of each way of feeding")
    parser.add_argument("--steps", type=int, default=12, help="timed steps a turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--write", action="store_true", help="keep the tables, dated")
    return Options(**vars(parser.parse_args()))


def heading(options: Options, samples: list[Sample], contract: InputContract) -> Iterator[str]:
    files = [s.picture.path for s in samples if isinstance(s.picture, ImageFile)]
    kilobytes = sum(path.stat().st_size for path in files) / len(files) / 1024
    heights, widths = zip(*(sample.size for sample in samples), strict=True)
    yield f"# Input pipeline, {date.today()}\n"
    yield (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}, torch "
        f"{torch.__version__}, OpenCV {cv2.__version__}. {len(samples)} images from "
        f"{options.data or 'this program'}, median {median(widths):.0f}x{median(heights):.0f}, "
        f"{kilobytes:.0f} KiB each; to {contract.width}x{contract.height}.\n"
    )


def read(path: str) -> list[Sample]:
    dataset = open_dataset(path)
    repaired, _ = repair(dataset.split("train"), dataset.classes)
    return repaired


def generated(folder: Path) -> list[Sample]:
    """Write 640x480 JPEGs, cut out of photographs, so that they cost what photographs cost."""
    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    samples: list[Sample] = []
    for number in range(NUM_GENERATED):
        photograph = photographs[number % len(photographs)]
        top, left = rng.integers(0, 100, size=2)
        part = cv2.resize(photograph[top : top + 320, left : left + 420], (640, 480))
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), part[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        boxes, labels = some_boxes(rng)
        samples.append(Sample.of(ImageFile(path, 480, 640), boxes, labels, image_id=path.stem))
    return samples


def some_boxes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    num_boxes = int(rng.integers(1, 12))
    corners = rng.uniform(0, (500, 340), size=(num_boxes, 2))
    sizes = rng.uniform(20, 140, size=(num_boxes, 2))
    return np.concatenate([corners, corners + sizes], axis=1), rng.integers(
        NUM_CLASSES, size=num_boxes
    )


def core_table(samples: list[Sample], contract: InputContract, cache: ImageCache) -> Iterator[str]:
    yield "| images/s a core | from JPEG | from the cache |"
    yield "| --- | ---: | ---: |"
    ways: dict[str, Callable[[Sample], Sample]] = {"decoding alone": decoded}
    for name, settings in AUGMENTATIONS.items():
        ways[name] = augmented(Augmentation(contract, Traits(), settings))
    for name, way in ways.items():
        from_jpeg = per_second(samples, lambda sample, way=way: way(sample))
        from_cache = per_second(samples, lambda sample, way=way: way(cache.load(sample)))
        yield f"| {name} | {from_jpeg:.0f} | {from_cache:.0f} |"
    yield ""


def decoded(sample: Sample) -> Sample:
    return replace(sample, picture=sample.image)


def augmented(augment: Augmentation) -> Callable[[Sample], Sample]:
    rng = np.random.default_rng(0)
    return lambda sample: augment(sample, rng)


def per_second(samples: list[Sample], make: Callable[[Sample], Sample], *, runs: int = 5) -> float:
    """Count what one core makes in a second of its own time, the best of a few runs."""
    chosen = samples[:NUM_GENERATED]
    fastest = float("inf")
    for _ in range(runs):
        start = time.process_time()
        for sample in chosen:
            make(sample)
        fastest = min(fastest, time.process_time() - start)
    return len(chosen) / fastest


def waiting_table(options: Options, samples: list[Sample], cache: ImageCache) -> Iterator[str]:
    world = World(device=resolve_device(options.device))
    yield (
        f"Training {options.recipe}, batch {options.batch_size}, on {world.device.type} with "
        f"{options.threads} threads, LIGHT_AUGMENT; median step in ms, of {options.rounds} turns "
        f"of {options.steps} steps.\n"
    )
    yield "| workers | cache | with the loader | same batch | speed ratio | waiting |"
    yield "| ---: | --- | ---: | ---: | ---: | ---: |"
    for num_workers in options.workers:
        for chosen in (None, cache):
            fed, same, waiting = compare(options, samples, chosen, num_workers, world)
            yield (
                f"| {num_workers} | {'yes' if chosen else 'no'} | {fed * 1e3:.1f} "
                f"| {same * 1e3:.1f} | {same / fed:.3f} | {waiting:.2%} |"
            )


def compare(
    options: Options,
    samples: list[Sample],
    cache: ImageCache | None,
    num_workers: int,
    world: World,
) -> tuple[float, float, float]:
    """Time both ways of feeding in turns; gives both medians in seconds and the waiting share."""
    config = recipes.names()[options.recipe]
    order = EpochOrder(num_samples=len(samples), batch_size=options.batch_size, seed=0)
    batches = TrainBatches(
        samples,
        Augmentation(config.input, Traits(), LIGHT_AUGMENT),
        order,
        cache=cache,
        num_workers=num_workers,
        pin=world.device.type == "cuda",
    )
    settings = TrainSettings(batch_size=options.batch_size, learning_rate=1e-4)
    num_classes = 1 + int(torch.cat([sample.labels for sample in samples]).max())
    state = begin(build(config, num_classes=num_classes), settings, world)
    stepper = Stepper(state, TrainPlan(settings=settings, batches=batches, world=world))
    fed = prefetched(endless(batches), world.device)
    same = repeated(next(fed))
    times: dict[str, list[float]] = {"fed": [], "same": []}
    waits: list[float] = []
    for _ in range(options.rounds):
        for name, source in (("fed", fed), ("same", same)):
            steps = timed_steps(stepper, source, options.steps, world)
            times[name] += [wait + work for wait, work in steps]
            waits += [wait for wait, _ in steps] if name == "fed" else []
    return median(times["fed"]), median(times["same"]), sum(waits) / sum(times["fed"])


def timed_steps(
    stepper: Stepper, source: Iterator[Batch], num_steps: int, world: World
) -> list[tuple[float, float]]:
    """Give seconds of waiting and of work of each step, once the turn has settled.

    The workers' queue is full when a turn with the loader begins; its first steps do not count.
    """
    steps: list[tuple[float, float]] = []
    for _ in range(SETTLING_STEPS + num_steps):
        start = time.perf_counter()
        batch = next(source)
        got = time.perf_counter()
        stepper([batch])
        if world.device.type == "cuda":
            torch.cuda.synchronize(world.device)
        steps.append((got - start, time.perf_counter() - got))
    return steps[SETTLING_STEPS:]


def endless(batches: TrainBatches) -> Iterator[Batch]:
    for epoch in count():
        yield from batches.epoch(epoch)


def repeated(batch: Batch) -> Iterator[Batch]:
    while True:
        yield batch


if __name__ == "__main__":
    main()
