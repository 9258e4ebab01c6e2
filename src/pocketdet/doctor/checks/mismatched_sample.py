"""Pictures and boxes that do not belong together.

## What it finds
How much the inside of each box differs from what is around it, in its own picture, beside the same
boxes read otherwise: on the picture before or after, mirrored, upside down, with x and y exchanged.
It reports samples in which another reading fits much better than the given one, and samples that
are one and the same again and again.

## Why it costs AP
The network is taught to see objects where there are none. The loss falls to the mean of all places
and stays there.

## Usual causes
- A list of pictures and one of labels that are sorted in different orders, or one short.
- Pictures that were turned or mirrored when they were read (EXIF), and boxes that were not.
- A data set that returns its first item, or the last one that it read, for every index.

## When it is not a fault
Objects that do not stand out from their surroundings fit no reading better than another: the check
is then silent. One sample repeated on purpose, to be learnt by heart, is told as a warning.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.pipeline import DetectionPipeline

LEAST_SAMPLES = 5
SURE = 6.0  # standard errors: with a few samples chance gives 4 at times
BETTER = 1.4  # times
AROUND = 0.35  # of a box's size: the ring that it is compared with
LEAST_SIDE = 3  # pixels
SAME_AGAIN = 0.5  # of the samples

Read = Callable[[Tensor, float, float], Tensor]


def find_mismatched_samples(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    sound = [(one, boxes) for one, boxes, _ in sound_boxes(labelled)]
    if len(sound) < LEAST_SAMPLES:
        raise NotObservable(f"fewer than {LEAST_SAMPLES} samples have sound boxes")
    repeated = _repeated(sound)
    if repeated is not None:
        yield repeated
        return
    pictures = [_plain(one.sample.image) for one, _ in sound]
    own = _fits(pictures, [boxes for _, boxes in sound])
    best: tuple[float, str, float] | None = None
    for words, others in _readings(sound):
        fits = _fits(pictures, others)
        sureness = _sureness(fits - own)
        if sureness > SURE and float(fits.nanmean()) > BETTER * float(own.nanmean()):
            best = max(best or (0.0, "", 0.0), (sureness, words, float(fits.nanmean())))
    if best is not None:
        yield Fault(
            where="",
            evidence=f"Boxes differ from what is around them {best[2] / float(own.nanmean()):.1f} "
            f"times as much if they are read {best[1]}, in {len(sound)} samples ({best[0]:.0f} "
            "standard errors).",
            measured={"as_they_are": float(own.nanmean()), "read": best[1], "then": best[2]},
        )


def _repeated(sound: list[tuple[Labelled, Tensor]]) -> Fault | None:
    first, boxes = sound[0]
    same = [
        one
        for one, other in sound[1:]
        if one.sample.image.shape == first.sample.image.shape
        and torch.equal(one.sample.image, first.sample.image)
        and other.shape == boxes.shape
        and torch.equal(other, boxes)
    ]
    if len(same) < SAME_AGAIN * len(sound):
        return None
    return Fault(
        where="",
        evidence=f"{len(same)} of {len(sound) - 1} samples are the first one again: the same "
        "picture with the same boxes.",
        measured={"same": len(same), "of": len(sound) - 1},
        severity=Severity.WARNING,
        remedy="Let the data set's `__getitem__` read what its index asks for.",
    )


def _readings(sound: list[tuple[Labelled, Tensor]]) -> Iterator[tuple[str, list[Tensor]]]:
    boxes = [some for _, some in sound]
    sizes = [(float(one.width), float(one.height)) for one, _ in sound]
    for words, read in READINGS.items():
        yield words, [read(some, *size) for some, size in zip(boxes, sizes, strict=True)]
    yield "on the picture of the sample before", boxes[1:] + boxes[:1]
    yield "on the picture of the sample after", boxes[-1:] + boxes[:-1]


READINGS: dict[str, Read] = {
    "mirrored": lambda b, w, _: torch.stack([w - b[:, 2], b[:, 1], w - b[:, 0], b[:, 3]], 1),
    "upside down": lambda b, _, h: torch.stack([b[:, 0], h - b[:, 3], b[:, 2], h - b[:, 1]], 1),
    "turned by half": lambda b, w, h: torch.stack(
        [w - b[:, 2], h - b[:, 3], w - b[:, 0], h - b[:, 1]], 1
    ),
    "with x and y exchanged": lambda b, _w, _h: b[:, [1, 0, 3, 2]],
}


def _plain(image: Tensor) -> Tensor:
    """Give a picture with a spread of 1."""
    picture = image.detach().double().cpu()
    return picture / picture.std().clamp_min(1e-6)


def _fits(pictures: list[Tensor], boxes: list[Tensor]) -> Tensor:
    """Give, by picture, how much its boxes differ from their surroundings; nan without one."""
    fits: list[float] = []
    for picture, some in zip(pictures, boxes, strict=True):
        each = [fit for box in some if (fit := _fit(picture, box)) is not None]
        fits.append(sum(each) / len(each) if each else float("nan"))
    return torch.tensor(fits, dtype=torch.float64)


def _fit(picture: Tensor, box: Tensor) -> float | None:
    height, width = picture.shape[-2:]
    x1, y1, x2, y2 = (round(v) for v in box.tolist())
    inner = _cut(picture, x1, y1, x2, y2)
    if min(inner.shape[-2:]) < LEAST_SIDE or x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        return None
    dx, dy = max(2, round(AROUND * (x2 - x1))), max(2, round(AROUND * (y2 - y1)))
    outer = _cut(picture, x1 - dx, y1 - dy, x2 + dx, y2 + dy)
    count = outer[0].numel() - inner[0].numel()
    if count < 1:
        return None
    moments = [[t.sum((1, 2)) for t in (part, part.square())] for part in (inner, outer)]
    mean = moments[0][0] / inner[0].numel()
    around = (moments[1][0] - moments[0][0]) / count
    spread = (moments[0][1] / inner[0].numel() - mean.square()).clamp_min(0).sqrt()
    spread_around = ((moments[1][1] - moments[0][1]) / count - around.square()).clamp_min(0).sqrt()
    return float((mean - around).abs().mean() + (spread - spread_around).abs().mean())


def _cut(picture: Tensor, x1: int, y1: int, x2: int, y2: int) -> Tensor:
    return picture[:, max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]


def _sureness(differences: Tensor) -> float:
    """Give the mean in standard errors."""
    known = differences[~differences.isnan()]
    if len(known) < LEAST_SAMPLES:
        return 0.0
    return float(known.mean() / (known.std() / len(known) ** 0.5).clamp_min(1e-9))


CHECK = Check(
    id="mismatched-sample",
    summary="pictures and boxes that do not belong together",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Draw the boxes over the pictures, and follow one sample from its file to the data set: "
    "what pairs picture and labels must go by their names, not by their order.",
    find=find_mismatched_samples,
    explained_by=("unsound-sample",),
)
