"""An augmentation whose random numbers repeat from worker to worker or from epoch to epoch.

## What it finds
Whether `transform` holds a random generator of its own, which every worker process of a loader
begins with a copy of; whether it seeds a global state; whether it draws from numpy's; and whether
it gives the same picture each time although it changes the picture.

## Why it costs AP
Workers that draw the same numbers, and draw them anew each epoch, show the network a fraction of
the variety that was meant. The loss falls a little faster and AP ends a little lower.

## Usual causes
- `self.rng = np.random.default_rng(0)` in the constructor of a data set or a transform.
- A seed that is set inside of the transform.
- numpy's global state with worker processes that torch does not seed.

## When it is not a fault
torch's own loader seeds `random`, `torch` and, since 1.9, numpy's global state in each worker:
drawing from these is sound there, and told as `info` for numpy only. A transform for evaluation
that always resizes alike draws nothing on purpose.
"""

from collections.abc import Iterator
import copy
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed, stage, stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.pipeline import DetectionPipeline

NUM_DRAWS = 8
GENERATORS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)
DEPTH = 4  # attributes of attributes


def find_repeated_draws(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    stage(pipeline, "transform")
    sample = next((one.sample for one, _, _ in sound_boxes(labelled)), None)
    if sample is None:
        raise NotObservable("no sample is sound")
    source = stage_source(pipeline, "transform")
    held = generator_in(pipeline.transform)
    if held is not None:
        yield Fault(
            where="",
            source=source,
            evidence=f"`transform` holds a random generator of its own, `{held}`: every worker "
            "process begins with a copy of it and draws the same numbers as the others.",
            measured={"generator": held},
        )
        return
    try:
        seeded = _seeded_by(pipeline, sample)
        by_numpy = _differs(pipeline, sample, vary="numpy")
        by_all = by_numpy or _differs(pipeline, sample, vary="all")
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    if seeded:
        yield Fault(
            where="",
            source=source,
            evidence=f"`transform` sets the seed of {' and of '.join(seeded)}: after it the next "
            "number is the same whatever was seeded before, so its own draws repeat from picture "
            "to picture, and so do those of everything else.",
            measured={"seeded": seeded},
            remedy="Do not set a seed inside of the augmentation.",
        )
    elif by_numpy and not _differs(pipeline, sample, vary="nothing"):
        yield Fault(
            where="",
            source=source,
            evidence="`transform` draws from numpy's global state: with it seeded alike, and "
            "everything else too, its draws repeat.",
            severity=Severity.INFO,
            remedy="With torch's own loader this is sound; in processes of your own, seed numpy in "
            "each worker, or pass a generator.",
        )
    elif not by_all and _changes_more_than_size(pipeline, sample):
        yield Fault(
            where="",
            source=source,
            evidence=f"`transform` changes the picture, and gave the same one in {NUM_DRAWS} draws "
            "under different seeds.",
            severity=Severity.INFO,
            remedy="Do not set a seed inside of the augmentation.",
        )


def _seeded_by(pipeline: DetectionPipeline, sample: Any) -> list[str]:
    """Name the global states that are the same after a draw, whatever they were before."""
    after: list[dict[str, float]] = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        _drawn(pipeline, sample)
        after.append(
            {
                "torch": float(torch.rand(1)),
                "random": random.random(),
                "numpy": float(np.random.random()),
            }
        )
    return [name for name, number in after[0].items() if number == after[1][name]]


def generator_in(thing: Any, depth: int = DEPTH, path: str = "") -> str | None:
    """Name the attribute or closed-over variable that is a generator, None without one."""
    if isinstance(thing, GENERATORS):
        return path or type(thing).__name__
    if depth == 0:
        return None
    for name, value in _parts(thing):
        found = generator_in(value, depth - 1, f"{path}.{name}".strip("."))
        if found is not None:
            return found
    return None


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, list | tuple):
        return [(str(number), item) for number, item in enumerate(thing[:50])]
    if isinstance(thing, Tensor | str | int | float | type(None)):
        return []
    parts = list(getattr(thing, "__dict__", {}).items())
    closure, code = getattr(thing, "__closure__", None), getattr(thing, "__code__", None)
    if closure and code:
        parts += [(n, c.cell_contents) for n, c in zip(code.co_freevars, closure, strict=True)]
    module = getattr(thing, "__globals__", {})
    names = [name for name in getattr(code, "co_names", ()) if name in module]
    parts += [(n, module[n]) for n in names if isinstance(module[n], GENERATORS)]
    bound_to = getattr(thing, "__self__", None)
    if bound_to is not None and not isinstance(bound_to, type) and callable(thing):
        parts.append(("self", bound_to))
    wrapped = getattr(thing, "func", None)
    if wrapped is not None:
        parts.append(("func", wrapped))
    return [part for part in parts if not part[0].startswith("__")]


def _differs(pipeline: DetectionPipeline, sample: Any, *, vary: str) -> bool:
    """Say whether draws differ when only this global state is seeded differently."""
    first: Tensor | None = None
    for draw in range(NUM_DRAWS):
        torch.manual_seed(draw if vary == "all" else 0)
        random.seed(draw if vary == "all" else 0)
        np.random.seed(draw if vary in ("all", "numpy") else 0)
        image = _drawn(pipeline, sample)
        if first is not None and not (first.shape == image.shape and torch.equal(first, image)):
            return True
        first = image
    return False


def _drawn(pipeline: DetectionPipeline, sample: Any) -> Tensor:
    after = stage(pipeline, "transform")(copy.deepcopy(sample))
    return torch.as_tensor(after.image).detach().clone()


def _changes_more_than_size(pipeline: DetectionPipeline, sample: Any) -> bool:
    """Say whether a picture comes out otherwise than it went in, but of the same size."""
    after = _drawn(pipeline, sample)
    before = torch.as_tensor(sample.image)
    return after.shape == before.shape and not torch.equal(after.to(before.dtype), before)


CHECK = Check(
    id="repeated-draws",
    summary="an augmentation whose random numbers repeat",
    stage=Stage.DETERMINISM,
    severity=Severity.WARNING,
    remedy="Draw from torch's global state, which its loader seeds in every worker, or from a "
    "generator seeded by epoch, worker and sample.",
    find=find_repeated_draws,
)
