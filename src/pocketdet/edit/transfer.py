"""Carry trained weights over to an altered detector, and say of each tensor why or why not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from pocketdet.edit.matching import Match, match_modules
from pocketdet.edit.module_tree import ModuleNode, module_tree
from pocketdet.model import Detector

Fate = Literal["carried", "renamed", "moved", "reshaped", "other kind", "new"]
CARRIED: tuple[Fate, ...] = ("carried", "renamed", "moved")
"""The fates of tensors that get trained values; the others keep their random start."""


@dataclass(frozen=True, kw_only=True)
class TensorFate:
    """What becomes of one tensor of the altered detector.

    - `renamed`: the same module, at another index because something before it came or went;
    - `moved`: the same module, found elsewhere in the base;
    - `reshaped`: the base has the module with other shapes;
    - `other kind`: the base has a module of another class at that place; `new`: it has none.

    `source` is the base's tensor, for a reshaped one too; `is_parameter` is False for statistics.
    """

    name: str
    fate: Fate
    shape: tuple[int, ...]
    source: str | None = None
    source_shape: tuple[int, ...] | None = None
    is_parameter: bool = True

    @property
    def num_values(self) -> int:
        return torch.Size(self.shape).numel()


@dataclass(frozen=True, kw_only=True)
class TransferPlan:
    """All tensors of the altered detector with their fates, and those of the base left behind."""

    tensors: tuple[TensorFate, ...]
    left_behind: tuple[str, ...]
    base_parameters: int
    notes: tuple[str, ...] = ()

    @property
    def num_carried(self) -> int:
        """How many parameters (not running statistics) get trained values."""
        return sum(t.num_values for t in self.tensors if t.is_parameter and t.fate in CARRIED)

    @property
    def num_parameters(self) -> int:
        return sum(t.num_values for t in self.tensors if t.is_parameter)

    @property
    def share(self) -> float:
        """The share of the altered detector's parameters that get trained values."""
        return self.num_carried / max(1, self.num_parameters)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        return {
            "share_carried": self.share,
            "parameters_carried": self.num_carried,
            "parameters": self.num_parameters,
            "base_parameters": self.base_parameters,
            "notes": list(self.notes),
            "tensors": [
                {
                    "name": t.name,
                    "fate": t.fate,
                    "shape": list(t.shape),
                    "source": t.source,
                    "source_shape": None if t.source_shape is None else list(t.source_shape),
                }
                for t in self.tensors
            ],
            "left_behind": list(self.left_behind),
        }


def plan_transfer(base: Detector, altered: Detector) -> TransferPlan:
    """Find all that the structures of two detectors allow to carry over; changes neither."""
    base_tree, altered_tree = module_tree(base), module_tree(altered)
    counterparts = _Counterparts(base_tree, match_modules(base_tree, altered_tree))
    parameters = {name for name, _ in altered.named_parameters(remove_duplicate=False)}
    fates = tuple(
        fate for node in altered_tree.walk() for fate in _fates(node, counterparts, parameters)
    )
    used = {fate.source for fate in fates if fate.fate in CARRIED}
    return TransferPlan(
        tensors=fates,
        left_behind=tuple(key for key in base.state_dict() if key not in used),
        base_parameters=sum(p.numel() for p in base.parameters()),
        notes=_notes(base, altered),
    )


class _Counterparts:
    """What stands in the base where a module of the altered detector stands."""

    def __init__(self, base: ModuleNode, matches: list[Match]) -> None:
        self._at_path = {node.path: node for node in base.walk()}
        self._match = {match.altered.path: match for match in matches}
        self._taken = {match.base.path for match in matches if match.is_same}

    def match(self, node: ModuleNode) -> Match | None:
        """Give the same module, whose tensors are carried over."""
        found = self._match.get(node.path)
        return found if found is not None and found.is_same else None

    def other(self, node: ModuleNode) -> ModuleNode | None:
        """Give what the base has there instead, unless that is carried to another place."""
        parent, _, name = node.path.rpartition(".")
        holder = self._match.get(parent)
        path = node.path if holder is None else f"{holder.base.path}.{name}".removeprefix(".")
        return None if path in self._taken else self._at_path.get(path)


def _fates(
    node: ModuleNode, counterparts: _Counterparts, parameters: set[str]
) -> Iterator[TensorFate]:
    match, source = counterparts.match(node), counterparts.other(node)
    fate: Fate = "new"
    if match is not None:
        source = match.base
        is_here = source.path == node.path
        fate = "moved" if match.is_moved else "carried" if is_here else "renamed"
    elif source is not None:
        fate = "reshaped" if source.kind == node.kind else "other kind"
    shapes = {} if source is None else dict(source.own)
    for name, shape in node.own:
        key = f"{node.path}.{name}".removeprefix(".")
        yield TensorFate(
            name=key,
            fate=fate,
            shape=shape,
            source=f"{source.path}.{name}" if source is not None and name in shapes else None,
            source_shape=shapes.get(name),
            is_parameter=key in parameters,
        )


def _notes(base: Detector, altered: Detector) -> tuple[str, ...]:
    notes: list[str] = []
    if len(base.classes) != len(altered.classes):
        notes.append(
            f"The base was trained for {len(base.classes)} classes and this detector has "
            f"{len(altered.classes)}: what predicts classes starts anew."
        )
    elif tuple(base.classes) != tuple(altered.classes):
        notes.append("The class names differ: what predicts classes was trained for others.")
    if base.contract != altered.contract:
        notes.append("The input contract differs: the weights were trained on other inputs.")
    if base.config.head != altered.config.head:
        notes.append("The head differs: look at its priors; box weights are relative to them.")
    return tuple(notes)


@torch.no_grad()
def carry(base: Detector, altered: Detector, plan: TransferPlan | None = None) -> TransferPlan:
    """Give an altered detector the base's trained weights wherever both are the same.

    Raises `ValueError`, and changes nothing, when a given `plan` carries less than the structures
    allow.
    """
    allowed = plan_transfer(base, altered)
    plan = allowed if plan is None else plan
    if plan.num_carried < allowed.num_carried:
        raise ValueError(
            f"`plan` carries {plan.num_carried:,} of {plan.num_parameters:,} parameters, and the "
            f"structures allow {allowed.num_carried:,}; leave it out, or make it anew with "
            "`plan_transfer`."
        )
    trained, weights = base.state_dict(), altered.state_dict()
    for tensor in plan.tensors:
        if tensor.fate in CARRIED and tensor.source is not None:
            weights[tensor.name].copy_(trained[tensor.source])
    return plan


def carry_from(path: Path, altered: Detector) -> TransferPlan:
    """Give an altered detector the weights of a checkpoint or a run's folder, as `carry` does."""
    base = Detector.load(path).to(next(altered.parameters()).device)
    return carry(base, altered)
