"""Take channels out, and prove that the detector without them is the one with zeros in them."""

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from pocketdet.compress.channels.units import ChannelGroups, Unit
from pocketdet.model import Detector, build
from pocketdet.model.surgery import Channels
from pocketdet.model.surgery.channels import reshape

TOLERANCE = 1e-4
"""Largest difference of raw outputs, as a share of the largest output: rounding, in another order
of sums. A wrong channel differs by more than a hundredth."""


@torch.no_grad()
def without_units(detector: Detector, groups: ChannelGroups, removed: Sequence[Unit]) -> Detector:
    """Give a detector with these channels really gone; it records its surgery.

    Raises `ValueError` for a detector that has been altered by more than pruning.
    """
    pruned = deepcopy(detector)
    _drop(pruned, removed)
    for cut, value in groups.cuts_without(removed):
        setattr(pruned.get_submodule(cut.module), cut.attribute, value)
    pruned.surgeries = (Channels.between(_unaltered(detector), pruned),)
    return pruned.eval()


def _unaltered(detector: Detector) -> Detector:
    others = [s.kind for s in detector.surgeries if not isinstance(s, Channels)]
    if others:
        raise ValueError(
            f"a detector is pruned before all else, and this one has undergone {others[0]}; "
            "put `prune` in front of the other steps."
        )
    return build(detector.config, classes=detector.classes)


@torch.no_grad()
def masked(detector: Detector, removed: Sequence[Unit]) -> Detector:
    """Give a detector of the same size whose removed channels have zeros for weights and shifts."""
    zeroed = deepcopy(detector).eval()
    parameters = dict(zeroed.named_parameters())
    for (name, axis), places in _places(removed).items():
        if name in parameters:
            parameters[name].index_fill_(axis, torch.tensor(sorted(places)).to(zeroed.device), 0.0)
    return zeroed


@torch.no_grad()
def largest_difference(pruned: Detector, zeroed: Detector, images: Tensor) -> float:
    """Compare raw outputs; gives the largest difference as a share of the largest output."""
    worst = 0.0
    for one, other in zip(pruned(images)[:2], zeroed(images)[:2], strict=True):
        worst = max(worst, float((one - other).abs().max() / other.abs().max().clamp(min=1e-12)))
    return worst


def prove_equal(pruned: Detector, detector: Detector, removed: Sequence[Unit]) -> float:
    """Give `largest_difference` on noise; more than `TOLERANCE` is our fault and stops all."""
    generator = torch.Generator().manual_seed(0)
    size = (2, 3, detector.contract.height, detector.contract.width)
    images = torch.randn(size, generator=generator).to(detector.device)
    difference = largest_difference(pruned, masked(detector, removed), images)
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"the pruned detector differs from the masked one by {difference:.2g} of its largest "
            f"output, and {TOLERANCE:g} is allowed: a channel was followed wrongly."
        )
    return difference


def _places(removed: Sequence[Unit]) -> dict[tuple[str, int], set[int]]:
    places: dict[tuple[str, int], set[int]] = defaultdict(set)
    for unit in removed:
        for slot, own in unit.slots.items():
            places[slot].update(own)
    return places


def _drop(network: nn.Module, removed: Sequence[Unit]) -> None:
    changed: set[str] = set()
    for (name, axis), places in _places(removed).items():
        module_name, _, own = name.rpartition(".")
        module = network.get_submodule(module_name)
        tensor = getattr(module, own)
        stay = [place for place in range(tensor.shape[axis]) if place not in places]
        if not stay:
            raise RuntimeError(f"`{name}` would lose all its channels.")
        kept = torch.tensor(stay, device=tensor.device)
        reshape(module, own, tensor.detach().index_select(axis, kept))
        changed.add(module_name)
    for name in changed:
        fit_numbers(network.get_submodule(name))


def fit_numbers(module: nn.Module) -> None:
    """Let torch's own layers say the sizes that their tensors have."""
    match module:
        case nn.Conv1d() | nn.Conv2d():
            outputs, reads = module.weight.shape[:2]
            if module.groups == module.in_channels:
                module.groups = outputs * module.groups // module.out_channels
            module.out_channels, module.in_channels = outputs, reads * module.groups
        case nn.ConvTranspose2d():
            module.in_channels, module.out_channels = module.weight.shape[:2]
        case nn.Linear():
            module.out_features, module.in_features = module.weight.shape
        case nn.BatchNorm2d():
            module.num_features = len(module.weight)
        case nn.GroupNorm():
            size = module.num_channels // module.num_groups
            module.num_channels = len(module.weight)
            module.num_groups = module.num_channels // size
        case _:
            pass
