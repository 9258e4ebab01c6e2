"""An exported file beside the detector that it was made from, on the same pictures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch

from pocketdet.export.network import FileNetwork
from pocketdet.export.tolerance import Tolerance
from pocketdet.runtime import Arrays, DetectionArrays, Runner
from pocketdet.runtime.decode import decode_outputs
from pocketdet.runtime.outputs import DetectionRows

Picture = NDArray[np.uint8]

LOWEST_COMPARED = 0.05
"""Detections below this score are not compared: there are many, and nobody shows them."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was measured; `failures` says what is beyond the tolerance: the worst output first.

    - `pictures`: how many, and `made_up`: whether they were drawn for want of real ones;
    - `outputs`: error of each raw output (root mean square over the output's own);
    - `detections`: how many the detector gave, `unmatched` of both sides;
    - `box`, `score`: largest difference of those that match, in input pixels and in score, without
      the share that may lie further off (`Tolerance.apart`).
    """

    pictures: int
    made_up: bool
    outputs: dict[str, float]
    detections: int
    unmatched: int
    box: float
    score: float
    tolerance: Tolerance

    @property
    def failures(self) -> tuple[str, ...]:
        own = self.tolerance
        outputs = sorted(self.outputs.items(), key=lambda entry: entry[1], reverse=True)
        found = [
            f"`{name}` is off by {error:.2g} of its size, and {own.output:g} is allowed"
            for name, error in outputs
            if error > own.output
        ]
        if self.box > own.box:
            found.append(f"a box is off by {self.box:.2g} input pixels, and {own.box:g} is allowed")
        if self.score > own.score:
            found.append(f"a score is off by {self.score:.2g}, and {own.score:g} is allowed")
        if self.unmatched > own.unmatched * self.detections:
            found.append(
                f"{self.unmatched} detections are given by only one of the two "
                f"({self.detections} by the detector)"
            )
        return tuple(found)

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def prove(
    runner: Runner,
    network: FileNetwork,
    pictures: Sequence[Picture],
    tolerance: Tolerance,
    *,
    made_up: bool = False,
) -> Proof:
    """Run both on pictures that have the input's size, (H, W, 3) uint8 RGB."""
    images = np.stack([picture.transpose(2, 0, 1) for picture in pictures])
    expected = _run_eagerly(network, runner, images)
    found = runner.raw(images)
    raw = not isinstance(runner.card.outputs, DetectionRows)
    settings = runner.card.detection
    ours, theirs = (
        decode_outputs(outputs, runner.card, settings, batch_size=len(images))
        for outputs in (expected, found)
    )
    match = [_match(a, b, tolerance) for a, b in zip(ours, theirs, strict=True)]
    shifts = [shift for entry in match for shift in entry[1]]
    changes = [change for entry in match for change in entry[2]]
    return Proof(
        pictures=len(pictures),
        made_up=made_up,
        outputs={name: _error(found[name], expected[name]) for name in expected} if raw else {},
        detections=sum(int((entry.scores >= LOWEST_COMPARED).sum()) for entry in ours),
        unmatched=sum(entry[0] for entry in match),
        box=_largest(shifts, tolerance.apart),
        score=_largest(changes, tolerance.apart),
        tolerance=tolerance,
    )


def _largest(values: Sequence[float], apart: float) -> float:
    """Give the largest value but for a share of them, rounded down to whole ones."""
    left = len(values) - int(apart * len(values))
    return max(sorted(values)[:left], default=0.0)


@torch.inference_mode()
def _run_eagerly(network: FileNetwork, runner: Runner, images: Picture) -> Arrays:
    outputs = network(torch.from_numpy(runner.prepare(images)))
    names = runner.card.outputs.names
    return {name: value.numpy() for name, value in zip(names, outputs, strict=True)}


def _error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Give the error's root mean square over the output's own; infinite for other shapes or NaN."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    wanted = expected.astype(np.float64)
    size = float(np.sqrt(np.square(wanted).mean()))
    error = float(np.sqrt(np.square(found - wanted).mean()))
    return error / max(size, 1e-12)


def _match(
    ours: DetectionArrays, theirs: DetectionArrays, tolerance: Tolerance
) -> tuple[int, list[float], list[float]]:
    """Count detections without a partner, and give the differences of boxes and scores.

    The partner is the nearest box of the same class that is not taken yet. One without is not
    counted where the other side may have scored it just below what is compared.
    """
    edge = LOWEST_COMPARED + tolerance.score
    taken: set[int] = set()
    alone, shifts, changes = 0, list[float](), list[float]()
    for place in np.flatnonzero(ours.scores >= LOWEST_COMPARED):
        partner, shift = _nearest(ours, int(place), theirs, taken)
        if partner is None or shift > 2 * tolerance.box:
            alone += int(ours.scores[place] >= edge)
            continue
        taken.add(partner)
        shifts.append(shift)
        changes.append(float(abs(ours.scores[place] - theirs.scores[partner])))
    left = set(np.flatnonzero(theirs.scores >= edge).tolist()) - taken
    return alone + len(left), shifts, changes


def _nearest(
    ours: DetectionArrays, place: int, theirs: DetectionArrays, taken: set[int]
) -> tuple[int | None, float]:
    same = [
        int(other)
        for other in np.flatnonzero(theirs.labels == ours.labels[place])
        if int(other) not in taken
    ]
    if not same:
        return None, float("inf")
    shifts = np.abs(theirs.boxes_xyxy[same] - ours.boxes_xyxy[place]).max(axis=1)
    return same[int(shifts.argmin())], float(shifts.min())
