"""What the first BatchNorm layers see of real images, read in several ways."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.pipeline import DetectionPipeline

NUM_LAYERS = 3
NUM_IMAGES = 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in 0-1
LEAST_MOVED = 0.02  # of a layer's statistics from 0 and 1: it has been trained

Reading = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstNorms:
    """How far the activations' mean and spread lie from the stored statistics.

    - `layer`: the first of the layers; `distances`: by reading of the images, in squared spreads
      a channel (0: exactly as stored), the median of the first layers;
    - `given`: the same of the inputs that the doctor was given, None where they do not run.
    """

    layer: str
    distances: dict[str, float]
    given: float | None


def _as_channels(values: tuple[float, ...], images: Tensor) -> Tensor:
    return torch.tensor(values, dtype=images.dtype)[None, :, None, None]


def _normalised(images: Tensor) -> Tensor:
    return (images - _as_channels(MEAN, images)) / _as_channels(STD, images)


def _denormalised(images: Tensor) -> Tensor:
    return images * _as_channels(STD, images) + _as_channels(MEAN, images)


BASIC: Mapping[str, Reading] = {
    "as they are": lambda images: images,
    "times 255": lambda images: images * 255,
    "divided by 255": lambda images: images / 255,
    "normalised by ImageNet's mean and spread": _normalised,
    "divided by 255 and normalised by ImageNet's mean and spread": lambda x: _normalised(x / 255),
    "with ImageNet's mean and spread taken back": _denormalised,
    "with ImageNet's mean and spread taken back, times 255": lambda x: _denormalised(x) * 255,
    "moved from 0..1 to -1..1": lambda images: images * 2 - 1,
    "moved from -1..1 to 0..1": lambda images: (images + 1) / 2,
}


def readings() -> dict[str, Reading]:
    """Give every way to read the images, with red and blue as they are and exchanged."""
    exchanged: dict[str, Reading] = {}
    for name, reading in BASIC.items():
        words = "with red and blue exchanged" + ("" if name == "as they are" else f", {name}")
        exchanged[words] = lambda images, reading=reading: reading(images).flip(1)
    return {**BASIC, **exchanged}


def first_norms(
    model: nn.Module, inputs: Any, pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> FirstNorms:
    """Run the samples' images through the first layers, read in each way."""
    if not isinstance(inputs, Tensor):
        raise NotObservable("the network takes more than an image")
    layers = _trained(model)
    if not layers:
        raise NotObservable("no BatchNorm layer has trained statistics")
    images = _images(pipeline, labelled)
    exchanged = _images(pipeline, labelled, exchanged=True)
    patient = copy_of(model).eval()
    distances: dict[str, float] = {}
    order: list[str] = []
    read = {name: reading(images) for name, reading in readings().items()}
    read["with red and blue exchanged before `preprocess`"] = exchanged
    for name, given in read.items():
        seen = _seen(patient, given, layers)
        if not seen:
            raise NotObservable("the network refuses the samples' images")
        order = order or list(seen)
        distances[name] = _median(seen)
    of_given = _seen(patient, inputs.detach().clone(), layers)
    return FirstNorms(
        layer=order[0], distances=distances, given=_median(of_given) if of_given else None
    )


def _median(seen: dict[str, float]) -> float:
    return float(torch.tensor(list(seen.values())[:NUM_LAYERS]).median())


def _trained(model: nn.Module) -> set[str]:
    return {
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
        and float(module.running_mean.abs().max()) > LEAST_MOVED
        and float((module.running_var - 1).abs().max()) > LEAST_MOVED
    }


def _images(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...], *, exchanged: bool = False
) -> Tensor:
    preprocess = stage(pipeline, "preprocess")
    step = max(1, len(labelled) // NUM_IMAGES)
    pictures = [one.sample.image.clone() for one in labelled[::step][:NUM_IMAGES]]
    if exchanged:
        pictures = [picture.flip(0) if picture.shape[0] == 3 else picture for picture in pictures]
    try:
        given = [preprocess(picture) for picture in pictures]
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    images = [image[None] if image.ndim == 3 else image for image in given]
    if len({tuple(image.shape[1:]) for image in images}) != 1:
        images = images[:1]
    joined = torch.cat(images).float()
    if joined.ndim != 4 or joined.shape[1] != 3:
        raise NotObservable("`pipeline.preprocess` does not give (3, h, w) images")
    return joined


class _Enough(Exception):
    """The first layers have been seen."""


def _seen(model: nn.Module, images: Tensor, layers: set[str]) -> dict[str, float]:
    seen: dict[str, float] = {}
    hooks = [
        module.register_forward_pre_hook(_hook(name, seen))
        for name, module in model.named_modules()
        if name in layers
    ]
    try:
        with torch.no_grad():
            model(images)
    except _Enough:
        pass
    except Exception:  # A network may refuse images of this size in any way it likes.
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _hook(name: str, seen: dict[str, float]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def see(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(module, _BatchNorm)
        seen[name] = _distance(module, arguments[0])
        if len(seen) >= NUM_LAYERS:
            raise _Enough

    return see


def _distance(module: Any, features: Tensor) -> float:
    axes = [axis for axis in range(features.ndim) if axis != 1]
    mean, variance = features.double().mean(axes), features.double().var(axes)
    stored = module.running_var.double() + module.eps
    shift = (mean - module.running_mean.double()).square() / stored
    scale = ((variance + module.eps) / stored).log().square() / 4
    return float((shift + scale).median())
