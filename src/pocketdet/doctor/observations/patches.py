"""How strongly each output value answers to each patch of the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.places import image_of, refuse_rounding
from pocketdet.doctor.trace import Run, Trace, is_drawn_or_chosen, lockstep

SIDE = 6  # patches along each side of the image
NUM_DRAWS = 2  # independent ones; what only one of them shows is noise
STEP = 0.05  # of the image's spread, within one patch: far above rounding
AT_ONCE = 8  # passes side by side
MOST_VALUES = 300_000  # of one sample's output: feature maps of large networks are no rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Squared answers to noise within one patch at a time.

    - `answers`: by the output's path, (draws, values, patches), values as in one sample's
      flattened output; each draw is another noise on another sample;
    - `middles`: (patches, 2), x and y in pixels; `height`, `width`: of the image.
    """

    answers: dict[str, Tensor]
    middles: Tensor
    height: int
    width: int


KNOWN: WeakKeyDictionary[Trace, Patches] = WeakKeyDictionary()


def patches(trace: Trace) -> Patches:
    """Give the answers of a trace, computed once, whoever asks first."""
    return patches_of(trace)


def patches_of(trace: Trace) -> Patches:
    """Do the same for a caller that may do without, and asks only when it cannot."""
    if trace not in KNOWN:
        KNOWN[trace] = _measured(trace)
    return KNOWN[trace]


def _measured(trace: Trace) -> Patches:
    """Change one patch of each sample in each pass, and see by how much every output changes.

    Where a deep path sees the whole image, the middle of the squared gradient is near the middle of
    the image for every value alike. What is left of a value's answers beside those of its
    peers still says where it looks. Samples that take part must not mix.
    """
    image, y_axis, x_axis = image_of(trace)
    refuse_rounding(trace, image)
    assert image.tensor is not None
    base = image.tensor
    if not bool(base.std() > 0):
        base = torch.randn_like(base)
    height, width, num_samples = base.shape[y_axis], base.shape[x_axis], len(base)
    paths = [
        path
        for path, value in trace.outputs.items()
        if value.is_float
        and len(value.shape) >= 2
        and value.shape[0] == num_samples
        and prod(value.shape[1:]) <= MOST_VALUES
    ]
    if min(height, width) < 2 * SIDE or not paths:
        raise NotObservable("no output has the images' samples, or they are too small")
    plan = [(draw, patch) for draw in range(NUM_DRAWS) for patch in range(SIDE * SIDE)]
    answers = {
        path: torch.zeros(NUM_DRAWS, prod(trace.outputs[path].shape[1:]), SIDE * SIDE)
        for path in paths
    }
    passes = [plan[start : start + num_samples] for start in range(0, len(plan), num_samples)]
    for start in range(0, len(passes), AT_ONCE):
        some = passes[start : start + AT_ONCE]
        inputs = [_changed(base, changes, y_axis, x_axis) for changes in some]
        for path, number, difference in _differences(trace, image.slot, base, inputs, paths):
            for sample, (draw, patch) in enumerate(some[number]):
                answers[path][draw, :, patch] = difference[sample].flatten().square().cpu()
    return Patches(answers=answers, middles=_middles(height, width), height=height, width=width)


def _differences(
    trace: Trace, slot: int, base: Tensor, inputs: list[Tensor], paths: list[str]
) -> Iterator[tuple[str, int, Tensor]]:
    runs = [Run(trace, inputs={slot: given}) for given in (base, *inputs)]
    try:
        for _ in lockstep(trace, runs, shares=is_drawn_or_chosen):
            pass
    except (RuntimeError, IndexError, KeyError) as error:
        raise NotObservable("the pass takes another path for slightly other images") from error
    results = [run.outputs(trace) for run in runs]
    for path in paths:
        for number, result in enumerate(results[1:]):
            yield path, number, (result[path] - results[0][path]).nan_to_num(0, 0, 0)


def _changed(base: Tensor, changes: list[tuple[int, int]], y_axis: int, x_axis: int) -> Tensor:
    """Put noise into one patch of each sample."""
    image = base.clone()
    step = STEP * float(base.std())
    for sample, (_, patch) in enumerate(changes):
        part = image[sample]
        for axis, number in ((y_axis, patch // SIDE), (x_axis, patch % SIDE)):
            low, high = _edges(base.shape[axis])[number : number + 2]
            part = part.narrow(axis - 1, low, high - low)
        part += step * (torch.randint(0, 2, part.shape, device=part.device) * 2 - 1)
    return image


def _edges(side: int) -> list[int]:
    return [round(number * side / SIDE) for number in range(SIDE + 1)]


def _middles(height: int, width: int) -> Tensor:
    y, x = (
        torch.tensor(_edges(side), dtype=torch.float64).unfold(0, 2, 1).mean(1)
        for side in (height, width)
    )
    return torch.stack([x.repeat(SIDE), y.repeat_interleave(SIDE)], dim=1)
