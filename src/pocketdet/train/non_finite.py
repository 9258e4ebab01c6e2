"""The stop when a loss is no number any more, before it can reach the weights."""

from collections.abc import Mapping, Sequence
import math

import torch
from torch import Tensor

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.batches import Batch

GRADIENT = "gradient"


class NonFiniteLoss(ValueError):
    """A term of the loss, or the gradient, is infinite or not a number."""


def bad_terms(figures: Mapping[str, float]) -> list[str]:
    """Name the figures that are infinite or not a number."""
    return [name for name, value in figures.items() if not math.isfinite(value)]


def blame(
    figures: Mapping[str, float], images: Mapping[str, Sequence[str]], *, epoch: int, step: int
) -> NonFiniteLoss:
    """Say what went bad, when, and in which image files; `images` are those of each term."""
    bad = bad_terms(figures)
    of_terms = [name for term in bad for name in images.get(term, ())]
    files = list(dict.fromkeys(of_terms or images.get("", ())))
    where = f" Images: {', '.join(files)}." if files else " Its images are in another process."
    return NonFiniteLoss(
        f"the {' and the '.join(bad)} {_are(bad)} not finite ("
        + ", ".join(f"{name} {value:g}" for name, value in figures.items())
        + f") in step {step} of epoch {epoch}, so training stopped before the weights were "
        f"changed.{where} Look at these images and their boxes; if they are sound, lower the "
        "learning rate."
    )


def image_files(batch: Batch, samples: Sequence[Sample]) -> list[str]:
    """Name the files of a batch's images, or their ids where they are no files."""
    names: list[str] = []
    for image_id, index in zip(batch.image_ids, batch.indices, strict=True):
        picture = samples[int(index)].picture if samples else None
        names.append(str(picture.path) if isinstance(picture, ImageFile) else image_id)
    return names


def bad_images(values: Tensor, files: Sequence[str]) -> list[str]:
    """Choose the files whose (b,) value is not finite."""
    bad = (~torch.isfinite(values)).tolist()
    return [file for file, is_bad in zip(files, bad, strict=True) if is_bad]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
