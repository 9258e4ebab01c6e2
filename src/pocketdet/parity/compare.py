"""Compare two subjects at every depth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch

from pocketdet.conventions import Detections, InputContract, Sample
from pocketdet.data.progress import Progress, silent
from pocketdet.evaluate.score import evaluate_detections
from pocketdet.export.raw_network import RawNetwork
from pocketdet.model import Detector
from pocketdet.model.head import LevelShape
from pocketdet.parity.boxes import BoxComparison, compare_boxes
from pocketdet.parity.cards import CardDifference, card_differences
from pocketdet.parity.layers import LayerComparison, compare_layers
from pocketdet.parity.raw_outputs import compare_raw, permuted_classes
from pocketdet.parity.report import LIMITS, Limits, ParityReport
from pocketdet.parity.shared_scales import shared_scales
from pocketdet.parity.subject import PictureNetwork, Subject
from pocketdet.parity.suppression import suppression_of
from pocketdet.parity.taps import TAPS
from pocketdet.runtime import Arrays, DetectionArrays, DetectionRows
from pocketdet.runtime.decode import scored_boxes

NUM_RAW = 4  # pictures whose raw outputs are compared
FED = ("resize", "interpolation", "channel_order")
DEPTHS = ("fp32", "fp16", "int8")


def compare(
    first: Subject, second: Subject, samples: Sequence[Sample], *, progress: Progress = silent
) -> ParityReport:
    """Compare two detectors on labelled pictures; the labels are places in A's class list.

    The order is that of the data's way: cards, raw outputs and layers (both fed as A is), boxes,
    AP. The limits are those of the less precise side.
    """
    wrong = _odd_outputs(second)
    pictures = [sample.image.permute(1, 2, 0).numpy() for sample in samples]
    found_first = _detect(first, pictures, "A", progress)
    found_second = [DetectionArrays.empty() for _ in pictures]
    if not wrong:
        found_second = _detect(second, pictures, "B", progress)
    precision = max(first.card.precision, second.card.precision, key=DEPTHS.index)
    limits = LIMITS[precision]
    boxes = compare_boxes(
        found_first, found_second, iou_threshold=second.card.detection.iou_threshold
    )
    evaluated = [_ap(found, samples, first) for found in (found_first, found_second)]
    report = ParityReport(
        first=first.name,
        second=second.name,
        precision=precision,
        limits=limits,
        num_images=len(samples),
        cards=tuple(_measured_cards(first, second, pictures[:NUM_RAW])),
        boxes=boxes,
        ap_first=evaluated[0],
        ap_second=evaluated[1],
        has_card=second.has_card,
        suppression=_suppression(first, second, pictures, found_second, boxes),
    )
    if _sizes(first) != _sizes(second):
        return replace(report, layers_note="not compared: the inputs are of different sizes")
    return _with_network(report, first, second, pictures, limits)


def _with_network(
    report: ParityReport,
    first: Subject,
    second: Subject,
    pictures: list[NDArray[Any]],
    limits: Limits,
) -> ParityReport:
    images = np.stack(
        [
            first.card.contract.fit_pixels(picture)[0].transpose(2, 0, 1)
            for picture in pictures[:NUM_RAW]
        ]
    )
    fed = second.with_input_of(first)
    mine, other = _common(first.runner.raw(images), fed.raw(images), first, second)
    raw = tuple(compare_raw(mine, other, _level_rows(first.detector)))
    permuted = None
    if "class_logits" in mine and "class_logits" in other:
        permuted = permuted_classes(mine["class_logits"], other["class_logits"])
    layers, note = _layers(first, second, fed.prepare(images[:1]), limits)
    return replace(
        report,
        raw=raw,
        permuted=tuple(permuted or ()),
        layers=layers,
        layers_note=note,
        shared=_shared(second, fed.prepare(images[:1])),
    )


def _measured_cards(
    first: Subject, second: Subject, pictures: list[NDArray[Any]]
) -> Iterator[CardDifference]:
    """Give what the cards have different; of the pictures' way, with what it does to pixels."""
    mine, other = first.card.contract, second.card.contract
    for difference in card_differences(first.card, second.card):
        if difference.field not in FED or _sizes(first) != _sizes(second):
            yield difference
            continue
        alone = replace(mine, **{difference.field: getattr(other, difference.field)})
        errors = [
            float(np.abs(_fed(picture, mine) - _fed(picture, alone)).mean()) for picture in pictures
        ]
        says = f"{difference.says}, by {np.mean(errors):.1f} of 255 a value"
        yield replace(difference, says=says)


def _fed(picture: NDArray[Any], contract: InputContract) -> NDArray[Any]:
    """Give what a contract makes of a picture, before mean and scale."""
    pixels = contract.fit_pixels(picture)[0].astype(np.float32)
    return pixels[..., ::-1] if contract.channel_order == "BGR" else pixels


def _shared(second: Subject, inputs: NDArray[Any]) -> tuple[str, ...]:
    if second.path is None or second.path.suffix != ".onnx" or second.card.precision != "int8":
        return ()
    return tuple(shared_scales(second.path, inputs))


def _common(mine: Arrays, other: Arrays, first: Subject, second: Subject) -> tuple[Arrays, Arrays]:
    """Bring outputs of two kinds to one: boxes and scores, where a file decodes inside."""
    if set(mine) == set(other):
        return mine, other
    if any(isinstance(side.card.outputs, DetectionRows) for side in (first, second)):
        return {}, {}
    pairs = scored_boxes(mine, first.card), scored_boxes(other, second.card)
    names = ("boxes_xyxy", "scores")
    return dict(zip(names, pairs[0], strict=True)), dict(zip(names, pairs[1], strict=True))


def _layers(
    first: Subject, second: Subject, inputs: NDArray[Any], limits: Limits
) -> tuple[LayerComparison | None, str]:
    if first.detector is None:
        return None, "not compared: A must be a run or a checkpoint for that"
    if second.path is None or second.path.suffix not in TAPS:
        return None, "not compared: the runtime of B does not show its intermediate results"
    if second.card.input.batch not in (None, 1):
        inputs = np.repeat(inputs, second.card.input.batch, axis=0)
    inside = second.card.input.normalization == "inside"
    network = PictureNetwork(first.detector) if inside else RawNetwork(first.detector)
    taps = TAPS[second.path.suffix](second.path, inputs)
    return compare_layers(network, inputs, taps, tolerance=limits.layer), ""


@torch.no_grad()
def _level_rows(detector: Detector | None) -> list[int]:
    """Count the rows of raw outputs that each prediction of a head gives."""
    if detector is None:
        return []
    contract = detector.contract
    size = (contract.height, contract.width)
    levels = detector.levels(torch.zeros(1, 3, *size))
    shapes = tuple(LevelShape.of(level) for level in levels)
    return [entry.num_places for entry in detector.config.head.coverage(shapes, size)]


def _odd_outputs(subject: Subject) -> list[str]:
    """Name the outputs whose shapes are not those that the card states: they cannot be decoded."""
    card = subject.card
    stated = card.outputs.shapes(len(card.classes))
    image = np.zeros((1, 3, card.contract.height, card.contract.width), np.uint8)
    given = subject.runner.raw(image)
    return [name for name, shape in stated.items() if given[name].shape[1:] != shape]


def _detect(
    subject: Subject, pictures: list[NDArray[Any]], side: str, progress: Progress
) -> list[DetectionArrays]:
    found: list[DetectionArrays] = []
    for place, picture in enumerate(pictures):
        progress(f"detecting with {side}", place, len(pictures))
        found += subject.detect([picture])
    progress(f"detecting with {side}", len(pictures), len(pictures))
    return found


def _ap(found: list[DetectionArrays], samples: Sequence[Sample], first: Subject) -> float:
    """Give the AP of detections, whose labels are read in A's list: B's order is not excused."""
    if not sum(len(sample.labels) for sample in samples):
        return math.nan
    detections = [
        Detections(
            boxes_xyxy=torch.from_numpy(entry.boxes_xyxy),
            scores=torch.from_numpy(entry.scores),
            labels=torch.from_numpy(entry.labels),
        )
        for entry in found
    ]
    known = len(first.card.classes)
    if any(bool((entry.labels >= known).any()) for entry in detections):
        return math.nan
    return evaluate_detections(detections, samples, first.card.classes).ap


def _suppression(
    first: Subject,
    second: Subject,
    pictures: list[NDArray[Any]],
    found: list[DetectionArrays],
    boxes: BoxComparison,
) -> str:
    if not isinstance(second.card.outputs, DetectionRows):
        return ""
    return suppression_of(first, pictures, found, boxes)


def _sizes(subject: Subject) -> tuple[int, int]:
    return subject.card.contract.height, subject.card.contract.width
