"""From a detector and its rules to a patient."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from seeded.boxes import average_precision
from seeded.program import BatchLoss, Patient, Pipeline
from seeded.scenes import Scene, draw_scenes, flip_half, scaled_to_unit, targets_like


def detection_patient(
    model: nn.Module,
    *,
    size: tuple[int, int],
    batch_loss: BatchLoss,
    encode: Callable[[Tensor, Tensor], Any],
    perfect: Callable[[Any], Any],
    decode: Callable[[Any], Any],
    num_classes: int = 3,
    row_boxes: Callable[[tuple[int, int]], Tensor] | None = None,
    preprocess: Callable[[Tensor], Tensor] = scaled_to_unit,
    transform: Callable[[Scene], Scene] = flip_half,
    evaluate: Callable[[Any, Any], float] = average_precision,
    optimizer: Optimizer | None = None,
    reference: nn.Module | None = None,
    allow: dict[str, str] | None = None,
    zoom: int = 2,
    steps: int = 110,
) -> Patient:
    """Inputs are four scenes `zoom` times as large as the samples, with glyphs of the same size.

    The loss of inputs of a size takes the targets of the scenes of that size, in their order; for
    any other size the samples' targets are stretched.
    """
    samples = draw_scenes(12, size=size, num_classes=num_classes, seed=7)
    large = (size[0] * zoom, size[1] * zoom)
    wide = draw_scenes(4, size=large, num_classes=num_classes, seed=8, most=3 * zoom**2)
    inputs = torch.stack([whole_canvas(preprocess, scene.image, zoom) for scene in wide])

    def training_loss(model: nn.Module, inputs: Tensor) -> Tensor:
        shown = wide if tuple(inputs.shape[-2:]) == large else samples
        boxes, labels = targets_like(shown, len(inputs), tuple(inputs.shape[-2:]))
        return batch_loss(model, inputs, boxes, labels)

    def score(model: nn.Module, scenes: Sequence[Scene]) -> float:
        found: list[Any] = []
        model.eval()
        with torch.no_grad():
            for scene in scenes:
                found += decode(model(preprocess(scene.image)[None]))
        return evaluate(found, scenes)

    return Patient(
        model=model,
        inputs=inputs,
        training_loss=training_loss,
        optimizer=optimizer or Adam(model.parameters(), lr=3e-3),
        reference=reference,
        row_boxes=None if row_boxes is None else row_boxes(tuple(inputs.shape[-2:])),
        pipeline=Pipeline(
            samples=samples,
            num_classes=num_classes,
            transform=transform,
            preprocess=preprocess,
            encode=encode,
            perfect=perfect,
            decode=decode,
            evaluate=evaluate,
        ),
        allow=allow or {},
        batch_loss=batch_loss,
        scenes=lambda count, seed: draw_scenes(
            count, size=size, num_classes=num_classes, seed=seed
        ),
        score=score,
        steps=steps,
    )


def whole_canvas(preprocess: Callable[[Tensor], Tensor], image: Tensor, zoom: int) -> Tensor:
    """Preprocess an image `zoom` times as large part by part: a canvas of fixed size stays so."""
    height, width = image.shape[-2] // zoom, image.shape[-1] // zoom
    rows = [
        torch.cat([preprocess(part) for part in row.split(width, dim=2)], dim=2)
        for row in image.split(height, dim=1)
    ]
    return torch.cat(rows, dim=1)
