"""Where in the image every output, and every operand of a merge, looks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.look import NUM_HALVES, Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.trace import Op, Run, Trace, is_drawn_or_chosen, lockstep
from pocketdet.doctor.trace.graph import Value

NUM_PROBES = 4  # noise patterns; each costs three passes
STEP = 2e-3  # of the image's spread: small against kinks, large against rounding
LOST = 64  # roundings of a value: a smaller change of it, such as of a box in pixels, says nothing
MERGES = ("add", "add_", "sub", "sub_", "mul", "mul_", "cat")
LEAST_SIDE = 8  # cells; on a smaller map the border is everywhere
MOST_MERGES = 80
ROUNDING = ("round", "round_", "floor", "floor_", "ceil", "ceil_", "trunc", "trunc_")
MOST_CHANNELS = 16  # of a map: more cost time, and see the same places
UNLIKE = 1.25  # times another aspect ratio than the image's: a map's sides are rounded


@dataclass(frozen=True, kw_only=True, eq=False)
class MapLooks:
    """A map's looks by cell, (h, w), read as (b, c, h, w) and as (b, h, w, c).

    None where the sides are unlike the image's; of many channels some are looked at.
    """

    channels_first: Look | None
    channels_last: Look | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Merge:
    """An operator that joins maps of one size, and where each of them looks."""

    op: Op
    operands: tuple[tuple[Value, MapLooks], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Where values look.

    - `height`, `width`: of the image; `outputs`: by path, a look for every single value;
    - `merges`: in the order of the pass.
    """

    height: int
    width: int
    outputs: dict[str, Look]
    merges: tuple[Merge, ...]


def places(trace: Trace) -> Places:
    """Find the middle of each value's squared input gradient, without a backward pass.

    For noise v, E[(Jv)·(J(x·v))] / E[(Jv)²] is the mean of x over the squared gradient J², so
    that three more passes a noise pattern, on images changed by a small step along v, x·v and
    y·v, serve every value of the network at once (Hutchinson's estimator of a diagonal). Indices
    and masks are those of the unchanged image.
    """
    image, y_axis, x_axis = image_of(trace)
    height, width = image.shape[y_axis], image.shape[x_axis]
    refuse_rounding(trace, image)
    merging = list(_merging(trace))[:MOST_MERGES]
    operands = {id(v): v for _, values in merging for v in values}
    seeing = trace.follows_from([image])
    outputs = {
        id(v): v
        for v in trace.outputs.values()
        if v.is_float and v.shape and v.producer and v.producer.index in seeing
    }
    looks: dict[int, Look] = {}
    maps: dict[int, MapLooks] = {}
    runs = _runs(trace, image, y_axis, x_axis)
    try:
        for op, _ in lockstep(trace, runs, shares=is_drawn_or_chosen):
            for value in op.outputs:
                wanted = (id(value) in operands, id(value) in outputs)
                if not any(wanted):
                    continue
                results = [run.tensors[value.slot] for run in runs]
                if wanted[0]:
                    maps[id(value)] = _map_looks(results, height, width)
                if wanted[1]:
                    looks[id(value)] = _look(results, height, width)
    except (RuntimeError, IndexError, KeyError) as error:
        raise NotObservable("the pass takes another path for slightly other images") from error
    return Places(
        height=height,
        width=width,
        outputs={p: looks[id(v)] for p, v in trace.outputs.items() if id(v) in looks},
        merges=tuple(
            Merge(op=op, operands=tuple((v, maps[id(v)]) for v in values))
            for op, values in merging
            if all(id(v) in maps for v in values)
        ),
    )


def image_of(trace: Trace) -> tuple[Value, int, int]:
    """Find the image among the inputs, and its axes of rows and columns."""
    images = [v for v in trace.inputs.values() if v.is_float and len(v.shape) == 4 and v.consumers]
    if not images:
        raise NotObservable("there is no image, (b, c, h, w) of floats, among the inputs")
    image = max(images, key=lambda value: value.numel)
    is_last = image.shape[-1] <= 4 < image.shape[1]
    return (image, 1, 2) if is_last else (image, 2, 3)


def refuse_rounding(trace: Trace, image: Value) -> None:
    """Refuse a pass that rounds what it computes of the image: small steps vanish or jump there."""
    between = trace.follows_from([image]) & trace.leads_to(list(trace.outputs.values()))
    for op in trace.forward_ops:
        if op.index in between and (op.name in ROUNDING or "quantize" in op.name):
            raise NotObservable(f"the pass rounds values, by `{op.name}`")


def _merging(trace: Trace) -> Iterator[tuple[Op, list[Value]]]:
    from_inputs = trace.follows_from(list(trace.inputs.values()))
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    for op in trace.named(*MERGES):
        if op.index not in from_inputs or op.index not in to_outputs:
            continue
        operands = [v for v in op.inputs if v.producer and v.producer.index in from_inputs]
        if len(operands) >= 2 and _are_maps_of_one_size(op, operands):
            yield op, operands


def _are_maps_of_one_size(op: Op, operands: list[Value]) -> bool:
    shapes = {value.shape for value in operands}
    if any(len(shape) != 4 or not v.is_float for shape in shapes for v in operands):
        return False
    if min(sorted(operands[0].shape[1:])[1:]) < LEAST_SIDE:
        return False
    if op.name != "cat":
        return len(shapes) == 1
    axis = int(op.argument("dim")) % 4
    return axis in (1, 3) and len({(*s[:axis], *s[axis + 1 :]) for s in shapes}) == 1


def _runs(trace: Trace, image: Value, y_axis: int, x_axis: int) -> list[Run]:
    assert image.tensor is not None
    base = image.tensor
    if not bool(base.std() > 0):
        base = torch.randn_like(base)
    step = STEP * float(base.std())
    x = _ramp(base, x_axis)
    y = _ramp(base, y_axis)
    runs = [Run(trace, inputs={image.slot: base})]
    for _ in range(NUM_PROBES):
        noise = torch.randint(0, 2, base.shape, dtype=base.dtype, device=base.device) * 2 - 1
        for pattern in (noise, noise * x, noise * y):
            runs.append(Run(trace, inputs={image.slot: base + step * pattern}))
    return runs


def _ramp(image: Tensor, axis: int) -> Tensor:
    """Give -1 to 1 along an axis, at the middles of the pixels, to be broadcast."""
    size = image.shape[axis]
    ramp = (torch.arange(size, dtype=image.dtype, device=image.device) + 0.5) * 2 / size - 1
    return ramp.reshape([size if a == axis else 1 for a in range(image.ndim)])


def _map_looks(results: list[Tensor], height: int, width: int) -> MapLooks:
    _, a, b, c = results[0].shape
    first = last = None
    if are_alike((b, c), (height, width)):
        some = [result[:, :: max(1, a // MOST_CHANNELS)] for result in results]
        first = _look(some, height, width).summed([0, 1])
    if are_alike((a, b), (height, width)):
        some = [result[..., :: max(1, c // MOST_CHANNELS)] for result in results]
        last = _look(some, height, width).summed([0, 3])
    return MapLooks(channels_first=first, channels_last=last)


def are_alike(sides: tuple[int, int], image: tuple[int, int]) -> bool:
    """Say whether a map's sides have the image's aspect ratio, but for rounding."""
    ratio = sides[0] / max(sides[1], 1) / (image[0] / image[1])
    return 1 / UNLIKE < ratio < UNLIKE


def _look(results: list[Tensor], height: int, width: int) -> Look:
    base = results[0]
    changes = [(other - base).nan_to_num(0, 0, 0) for other in results[1:]]
    plain, by_x, by_y = changes[0::3], changes[1::3], changes[2::3]
    power, x, y = (
        torch.stack([_paired(plain[h::NUM_HALVES], by[h::NUM_HALVES]) for h in range(NUM_HALVES)])
        for by in (plain, by_x, by_y)
    )
    total = power.sum(0).clamp_min(1e-30)
    rounding = LOST * torch.finfo(base.dtype).eps * base.abs()
    is_clear = (total / len(plain)).sqrt() > rounding
    power, x, y = power * is_clear, x * is_clear, y * is_clear
    variance = torch.zeros_like(base)
    for by, moment, side in ((by_x, x, width), (by_y, y, height)):
        middle = moment.sum(0) / total
        residual = sum(((b - middle * p).square() for b, p in zip(by, plain, strict=True)))
        variance = variance + residual * (side / 2) ** 2 / 2
    return Look(
        power=power,
        x=x * (width / 2) + power * (width / 2),
        y=y * (height / 2) + power * (height / 2),
        variance=variance * len(plain) / (len(plain) - 1),
    )


def _paired(first: list[Tensor], second: list[Tensor]) -> Tensor:
    return torch.stack([a * b for a, b in zip(first, second, strict=True)]).sum(0)
