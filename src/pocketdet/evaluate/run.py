"""A detector over a list of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import torch

from pocketdet.conventions import DecodeSettings, Detections, Placement, Sample, clip_boxes
from pocketdet.data.loading.batches import eval_batches
from pocketdet.data.progress import Progress, silent
from pocketdet.evaluate.evaluation import Evaluation
from pocketdet.evaluate.score import evaluate_detections
from pocketdet.model.detector import Detector
from pocketdet.model.evaluation_mode import evaluation_mode


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a detector is run over samples.

    - `batch_size`: images at once; `num_workers`: processes that read images, 0 for none;
    - `decode`: thresholds and numbers of detections;
    - `half_on_cuda`: mixed precision (float16) on a GPU; other devices stay in float32.
    """

    batch_size: int = 16
    num_workers: int = 0
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    half_on_cuda: bool = True

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("num_workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")


def evaluate_detector(
    detector: Detector,
    samples: Sequence[Sample],
    settings: RunSettings | None = None,
    *,
    progress: Progress = silent,
) -> tuple[Evaluation, list[Detections]]:
    """Run a detector over samples and score what it found; the labels are the detector's.

    `seconds` of the evaluation counts both, reading of images included.
    """
    start = perf_counter()
    detections = run_detector(detector, samples, settings, progress=progress)
    evaluation = evaluate_detections(detections, samples, detector.classes)
    return replace(evaluation, seconds=perf_counter() - start), detections


@torch.inference_mode()
def run_detector(
    detector: Detector,
    samples: Sequence[Sample],
    settings: RunSettings | None = None,
    *,
    progress: Progress = silent,
) -> list[Detections]:
    """Give each sample's detections, in pixels of its image and clipped to it, on the CPU.

    It runs where the detector is, at the contract's input size. Afterwards every module is in the
    mode, training or not, in which it was before.
    """
    settings = settings or RunSettings()
    device = detector.device
    on_cuda = device.type == "cuda"
    batches = eval_batches(
        samples,
        detector.contract,
        batch_size=settings.batch_size,
        num_workers=settings.num_workers,
        pin=on_cuda,
    )
    results: list[Detections] = []
    half = torch.autocast(
        device.type, dtype=torch.float16, enabled=on_cuda and settings.half_on_cuda
    )
    with evaluation_mode(detector):
        progress("detecting", 0, len(samples))
        for batch in batches:
            inputs = detector.preprocess(batch.images.to(device, non_blocking=True))
            with half:
                predictions = detector(inputs)
            found = detector.decode(predictions, settings.decode)
            for entry, placement, index in zip(found, batch.placements, batch.indices, strict=True):
                results.append(in_image_pixels(entry, placement, samples[index].size))
            progress("detecting", len(results), len(samples))
    return results


def in_image_pixels(
    detections: Detections, placement: Placement, size: tuple[int, int]
) -> Detections:
    """Move detections from input pixels to those of an image of (height, width), on the CPU."""
    detections = detections.to("cpu")
    boxes_xyxy = placement.to_image(detections.boxes_xyxy)
    return replace(detections, boxes_xyxy=clip_boxes(boxes_xyxy, height=size[0], width=size[1]))
