"""Channels that can only go together, and what a detector costs without some of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketdet.compress.channels.labels import Places
from pocketdet.compress.channels.rules import RULES
from pocketdet.compress.channels.tracing import BATCH, Cut, Trace, trace_channels
from pocketdet.model import Detector

Slot = tuple[str, int]
"""A tensor's qualified name and one of its axes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """One channel with all that goes with it: for each tensor's axis the places in it."""

    label: int
    slots: dict[Slot, list[int]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Units with the same tensors: the outputs of one layer, or of several that are added.

    `name` is that of the first convolution or matrix whose outputs they are.
    """

    name: str
    units: tuple[Unit, ...]

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Counted:
    """A product with the sets that the places of its axes belong to."""

    factor: int
    axes: tuple[Places, ...]


class ChannelGroups:
    """All channels of a detector that may go, and those that stay with the reason.

    - `groups`: in the order of the detector's parameters;
    - `kept`: convolutions and matrices whose outputs stay, by name, with why;
    - `cuts`: numbers of modules that follow.
    """

    def __init__(self, trace: Trace) -> None:
        self._roots = {
            (name, axis): trace.labels.roots(places)
            for name, axes in trace.tensors.items()
            for axis, places in enumerate(axes.places)
            if places is not None
        }
        units = _units(trace, self._roots)
        self.groups = _groups(units)
        self.kept = _kept(trace, self._roots)
        self.cuts = trace.cuts
        self._cut_roots = [trace.labels.roots(cut.before) for cut in trace.cuts]
        self._products = [
            _Counted(factor=p.factor, axes=tuple(trace.labels.roots(places) for places in p.axes))
            for p in trace.products
        ]

    def macs(self, removed: Sequence[Unit]) -> int:
        """Count the multiply-accumulates of one picture without these units."""
        gone = np.array([unit.label for unit in removed], dtype=np.int64)
        total = 0
        for counted in self._products:
            value = counted.factor
            for places in counted.axes:
                value *= int(np.count_nonzero(~np.isin(places, gone)))
            total += value
        return total // BATCH

    def cuts_without(self, removed: Sequence[Unit]) -> list[tuple[Cut, int]]:
        """Give each number of a module that is a place in a map, and its new value."""
        gone = np.array([unit.label for unit in removed], dtype=np.int64)
        return [
            (cut, int(np.count_nonzero(~np.isin(roots, gone))))
            for cut, roots in zip(self.cuts, self._cut_roots, strict=True)
        ]


def find_groups(detector: Detector) -> ChannelGroups:
    """Trace a detector once, and find what can be removed from it."""
    return ChannelGroups(trace_channels(detector, RULES))


def _units(trace: Trace, roots: dict[Slot, NDArray[np.int64]]) -> list[Unit]:
    slots: dict[int, dict[Slot, list[int]]] = defaultdict(dict)
    for slot, labels in roots.items():
        for place, label in enumerate(labels.tolist()):
            if trace.labels.why_fixed(label) is None:
                slots[label].setdefault(slot, []).append(place)
    return [
        Unit(label=label, slots=own)
        for label, own in slots.items()
        if any(_is_output(slot, trace) for slot in own)
    ]


def _groups(units: Sequence[Unit]) -> tuple[Group, ...]:
    together: dict[tuple[Slot, ...], list[Unit]] = defaultdict(list)
    for unit in units:
        together[tuple(unit.slots)].append(unit)
    groups: list[Group] = []
    names: dict[str, int] = defaultdict(int)
    for slots, own in together.items():
        name = _name(slots)
        names[name] += 1
        shown = name if names[name] == 1 else f"{name}#{names[name]}"
        groups.append(Group(name=shown, units=tuple(own)))
    return tuple(groups)


def _name(slots: Sequence[Slot]) -> str:
    weights = [name for name, axis in slots if axis == 0 and name.endswith("weight")]
    return (weights or [slots[0][0]])[0].rpartition(".")[0]


def _kept(trace: Trace, roots: dict[Slot, NDArray[np.int64]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for slot, labels in roots.items():
        reason = trace.labels.why_fixed(int(labels[0]))
        if reason is not None and _is_output(slot, trace):
            kept[slot[0].removesuffix(".weight")] = reason
    return kept


def _is_output(slot: Slot, trace: Trace) -> bool:
    """Say whether a slot is the output axis of a kernel or matrix."""
    name, axis = slot
    return axis == 0 and len(trace.tensors[name].places) > 1
