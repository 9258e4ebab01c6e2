"""What the convolutions that read a channel are given, at sampled places of training images."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.compress.channels.units import ChannelGroups
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector
from pocketdet.model.evaluation_mode import evaluation_mode

BATCH = 8


def reading_convolutions(detector: Detector, groups: ChannelGroups) -> dict[str, nn.Conv2d]:
    """Give the ungrouped convolutions that read channels that may go, by their weights' names."""
    slots = {slot for group in groups.groups for slot in group.units[0].slots}
    found: dict[str, nn.Conv2d] = {}
    for name, module in detector.named_modules():
        weight = f"{name}.weight"
        if isinstance(module, nn.Conv2d) and module.groups == 1 and (weight, 1) in slots:
            found[weight] = module
    return found


@torch.no_grad()
def sampled_inputs(
    detector: Detector,
    convolutions: Mapping[str, nn.Conv2d],
    bench: Workbench,
    *,
    num_images: int,
    places: int,
) -> dict[str, Tensor]:
    """Give (n, in, k · k) values that each convolution multiplies at drawn output places.

    `places` are drawn of each image; of a convolution that is called for several maps, as many of
    each.
    """
    images = bench.calibration_images(detector, num_images)
    generator = torch.Generator().manual_seed(bench.seed)
    drawn: dict[str, list[Tensor]] = {name: [] for name in convolutions}
    handles = [
        module.register_forward_pre_hook(_taker(drawn[name], module, places, generator))
        for name, module in convolutions.items()
    ]
    try:
        with evaluation_mode(detector):
            for done, batch in enumerate(images.split(BATCH)):
                bench.progress("sampling features", done * BATCH, len(images))
                detector(batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: torch.cat(parts) for name, parts in drawn.items() if parts}


def _taker(
    drawn: list[Tensor], module: nn.Conv2d, places: int, generator: torch.Generator
) -> Callable[[nn.Module, Any], None]:
    def take(_: nn.Module, given: Any) -> None:
        features: Tensor = given[0]
        columns = F.unfold(
            features,
            module.kernel_size,
            dilation=module.dilation,
            padding=_padding(module),
            stride=module.stride,
        )
        chosen = torch.randint(columns.shape[2], (places,), generator=generator)
        values = columns[:, :, chosen.to(columns.device)].transpose(1, 2)
        drawn.append(values.reshape(-1, features.shape[1], columns.shape[1] // features.shape[1]))

    return take


def _padding(module: nn.Conv2d) -> tuple[int, int]:
    assert not isinstance(module.padding, str)
    return (module.padding[0], module.padding[1])
