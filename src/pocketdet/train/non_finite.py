"""The stop when a loss is no number any more, before it can reach the weights."""

from collections.abc import Mapping, Sequence
import math

import torch

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.loading.batch import Batch
from pocketdet.train.loss import LossTerms

GRADIENT = "gradient"


class NonFiniteLoss(ValueError):
    """A term of the loss, or the gradient, is infinite or not a number."""


def bad_terms(figures: Mapping[str, float]) -> list[str]:
    """Name the figures that are infinite or not a number."""
    return [name for name, value in figures.items() if not math.isfinite(value)]


def blame(
    figures: Mapping[str, float], images: Sequence[str], *, epoch: int, step: int
) -> NonFiniteLoss:
    """Say what went bad, when, and in which image files."""
    bad = bad_terms(figures)
    where = f" Images: {', '.join(images)}." if images else " Its images are in another process."
    return NonFiniteLoss(
        f"the {' and the '.join(bad)} {'is' if len(bad) == 1 else 'are'} not finite ("
        + ", ".join(f"{name} {value:g}" for name, value in figures.items())
        + f") in step {step} of epoch {epoch}, both counted from 0; training stopped before the "
        f"weights were changed.{where} Look at these images and their boxes; if they are sound, "
        "lower the learning rate."
    )


def images_to_blame(
    bad: Sequence[str],
    terms: Sequence[LossTerms],
    batches: Sequence[Batch],
    samples: Sequence[Sample],
) -> list[str]:
    """Name the images whose own share of a bad term is not finite.

    Without a bad term (only the gradient is bad) these are all images of the step.
    """
    names: list[str] = []
    for of_batch, batch in zip(terms, batches, strict=True):
        guilty = torch.full((len(batch),), fill_value=not bad)
        for name in bad:
            guilty |= ~torch.isfinite(of_batch.named()[name]).cpu()
        files = image_files(batch, samples)
        names += [file for file, is_guilty in zip(files, guilty, strict=True) if is_guilty]
    return names


def image_files(batch: Batch, samples: Sequence[Sample]) -> list[str]:
    """Name the files of a batch's images, or their ids where they are no files."""
    names: list[str] = []
    for image_id, index in zip(batch.image_ids, batch.indices, strict=True):
        picture = samples[index].picture if samples else None
        names.append(str(picture.path) if isinstance(picture, ImageFile) else image_id)
    return names
