"""A detector's modules as a tree of what counts when weights are carried over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log2

import torch
from torch import Tensor, nn

from pocketdet.model import Detector
from pocketdet.model.evaluation_mode import evaluation_mode

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
Fingerprint = tuple[str, Shapes, tuple[tuple[str, object], ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ModuleNode:
    """A module with tensors in it or below it.

    - `kind`: its class; `is_sequence`: its children are told apart by order, not by name;
    - `own`: names and shapes of the tensors of the module itself, as in `state_dict`;
    - `stride`: input height over height of the first map that it was called with; 0 without one.
    """

    path: str
    kind: str
    is_sequence: bool
    is_composed: bool
    own: Shapes
    stride: float
    children: tuple["ModuleNode", ...]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @cached_property
    def num_values(self) -> int:
        """How many values the module and all below it hold."""
        own = sum(torch.Size(shape).numel() for _, shape in self.own)
        return own + sum(child.num_values for child in self.children)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Equal for two modules that are the same but for their weights and their place."""
        return (self.kind, self.own, tuple((c.name, c.fingerprint) for c in self.children))

    def walk(self) -> Iterator["ModuleNode"]:
        """Give the module and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()


def module_tree(detector: Detector) -> ModuleNode:
    """Run a detector once on zeros of its contract's size, and give its modules with tensors."""
    own: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for key, tensor in detector.state_dict().items():
        path, _, name = key.rpartition(".")
        own.setdefault(path, []).append((name, tuple(tensor.shape)))
    node = _node("", detector, own, strides(detector))
    assert node is not None, "a detector has weights"
    return node


def _node(
    path: str,
    module: nn.Module,
    own: dict[str, list[tuple[str, tuple[int, ...]]]],
    stride: dict[str, float],
) -> ModuleNode | None:
    below = (
        _node(f"{path}.{name}".removeprefix("."), child, own, stride)
        for name, child in module.named_children()
    )
    children = tuple(child for child in below if child is not None)
    if not children and path not in own:
        return None
    kind = type(module)
    return ModuleNode(
        path=path,
        kind=f"{kind.__module__}.{kind.__qualname__}",
        is_sequence=isinstance(module, nn.Sequential | nn.ModuleList),
        is_composed=bool(children) and not kind.__module__.startswith("torch."),
        own=tuple(own.get(path, ())),
        stride=stride.get(path, 0.0),
        children=children,
    )


@torch.no_grad()
def strides(detector: Detector) -> dict[str, float]:
    """Give log2(input height / map height) of the map that each module was first called with."""
    found: dict[str, float] = {}
    height, width = detector.contract.height, detector.contract.width

    def note_for(path: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def note(module: nn.Module, given: tuple[object, ...]) -> None:
            if given and isinstance(given[0], Tensor) and given[0].dim() == 4:
                found.setdefault(path, round(log2(height / given[0].shape[-2]), 2))

        return note

    hooks = [
        module.register_forward_pre_hook(note_for(path))
        for path, module in detector.named_modules()
    ]
    try:
        with evaluation_mode(detector):
            detector(torch.zeros(1, 3, height, width, device=next(detector.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return found
