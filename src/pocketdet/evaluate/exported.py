"""An exported file over a list of samples."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import torch

from pocketdet.conventions import Detections, Sample
from pocketdet.data.loading.batches import eval_batches
from pocketdet.data.progress import Progress, silent
from pocketdet.evaluate.evaluation import Evaluation
from pocketdet.evaluate.run import RunSettings, in_image_pixels
from pocketdet.evaluate.score import evaluate_detections
from pocketdet.runtime import DetectionArrays, Runner
from pocketdet.runtime.decode import decode_outputs


def evaluate_file(
    runner: Runner,
    samples: Sequence[Sample],
    settings: RunSettings | None = None,
    *,
    progress: Progress = silent,
) -> tuple[Evaluation, list[Detections]]:
    """Run an exported file over samples and score what it found, as `evaluate_detector` does."""
    start = perf_counter()
    detections = run_file(runner, samples, settings, progress=progress)
    evaluation = evaluate_detections(detections, samples, runner.classes)
    return replace(evaluation, seconds=perf_counter() - start), detections


def run_file(
    runner: Runner,
    samples: Sequence[Sample],
    settings: RunSettings | None = None,
    *,
    progress: Progress = silent,
) -> list[Detections]:
    """Give each sample's detections, in pixels of its image and clipped to it.

    Pictures come the way that they come to a detector; decoding and NMS are the runtime's own.
    """
    settings = settings or RunSettings()
    batches = eval_batches(
        samples,
        runner.card.contract,
        batch_size=settings.batch_size,
        num_workers=settings.num_workers,
        pin=False,
    )
    results: list[Detections] = []
    progress("detecting", 0, len(samples))
    for batch in batches:
        outputs = runner.raw(batch.images.numpy())
        found = decode_outputs(outputs, runner.card, settings.decode, batch_size=len(batch.images))
        for entry, placement, index in zip(found, batch.placements, batch.indices, strict=True):
            results.append(in_image_pixels(as_tensors(entry), placement, samples[index].size))
        progress("detecting", len(results), len(samples))
    return results


def as_tensors(found: DetectionArrays) -> Detections:
    """Give the same detections as tensors."""
    return Detections(
        boxes_xyxy=torch.from_numpy(found.boxes_xyxy),
        scores=torch.from_numpy(found.scores),
        labels=torch.from_numpy(found.labels),
    )
