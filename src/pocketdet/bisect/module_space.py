"""Two trees of modules that are not ours: what differs by name, and hybrids of both.

A module differs from the one of the same name in the other tree if it is of another class, or has
other settings, parameters or children. It can stand in the other's place if it was given and gave
tensors of the same shapes; where it cannot, the module around it can, or nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.bisect.space import CannotBeMade
from pocketdet.edit.config_changes import Change
from pocketdet.model.evaluation_mode import evaluation_mode

Build = Callable[[], nn.Module]
Interface = tuple[Any, Any]
"""Shapes that go in, and that come out, of one call."""
PLAIN = (bool, int, float, str, tuple, type(None), torch.dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class Hybrid:
    """The healthy network with the modules of some names taken from the altered one."""

    names: frozenset[str]
    ends: "Ends"

    def build(self, seed: int) -> nn.Module:
        """Build both ends from a seed and put them together; equal parameters start equal."""
        healthy, altered = self.ends.built(seed)
        if self.names == self.ends.all_names:
            return altered
        for name in sorted(self.names):
            parent, _, child = name.rpartition(".")
            setattr(healthy.get_submodule(parent), child, altered.get_submodule(name))
        return healthy


@dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """How both networks are made, and what they are given."""

    healthy: Build
    altered: Build
    inputs: Any
    all_names: frozenset[str] = field(default_factory=frozenset[str])

    def built(self, seed: int) -> tuple[nn.Module, nn.Module]:
        """Build both from a seed; what has the same name and shape in both starts the same."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            healthy = self.healthy()
            torch.manual_seed(seed)
            altered = self.altered()
        if healthy is altered:
            altered = copy.deepcopy(altered)
        values = healthy.state_dict()
        with torch.no_grad():
            for name, tensor in altered.state_dict().items():
                if name in values and values[name].shape == tensor.shape:
                    tensor.copy_(values[name])
        return healthy, altered


class ModuleSpace:
    """The modules in which two networks differ, the outermost ones first.

    Raises `ValueError` where they do not differ, or differ in a way that no swap can show.
    """

    def __init__(self, healthy: Build, altered: Build, inputs: Any) -> None:
        ends = Ends(healthy=healthy, altered=altered, inputs=inputs)
        good, bad = ends.built(0)
        self._good, self._bad = good, bad
        shapes = [_interfaces(model, inputs) for model in (good, bad)]
        self._can_swap = {
            name for name in shapes[0] if name and shapes[0][name] == shapes[1].get(name)
        }
        self._children: dict[Change, tuple[Change, ...]] = {}
        self._name: dict[Change, str] = {}
        self._top = tuple(self._differing("", good, bad))
        if not self._top:
            raise ValueError(
                "The two networks must differ in a module that can be swapped, of the same name "
                "and with the same shapes going in and coming out; there is none."
            )
        names = frozenset(self._name[change] for change in self._top)
        self.ends = Ends(healthy=healthy, altered=altered, inputs=inputs, all_names=names)

    def changes(self) -> tuple[Change, ...]:
        return self._top

    def inside(self, change: Change) -> tuple[Change, ...]:
        return self._children[change]

    def needed_by(self, change: Change) -> Change | None:
        return None

    def make(self, changes: Iterable[Change]) -> Hybrid:
        names = frozenset(self._name[change] for change in changes)
        hybrid = Hybrid(names=names, ends=self.ends)
        try:
            model = hybrid.build(0)
            with torch.no_grad(), evaluation_mode(model):
                call(model, self.ends.inputs)
        except Exception as error:
            raise CannotBeMade(f"{type(error).__name__}: {error}") from error
        return hybrid

    def _differing(self, path: str, good: nn.Module, bad: nn.Module) -> Iterator[Change]:
        for name, child in good.named_children():
            where = f"{path}.{name}".removeprefix(".")
            other = dict(bad.named_children()).get(name)
            if other is None or are_equal(child, other):
                continue
            inner = tuple(self._differing(where, child, other))
            if where not in self._can_swap:
                yield from inner
                continue
            change = Change(field=where, before=_shown(child), after=_shown(other))
            explains = type(child) is type(other) and _has_equal_own(child, other)
            self._children[change] = inner if explains else ()
            self._name[change] = where
            yield change


def are_equal(one: nn.Module, other: nn.Module) -> bool:
    """Say whether two modules are of the same classes, settings and shapes throughout."""
    names = [name for name, _ in one.named_children()]
    if names != [name for name, _ in other.named_children()]:
        return False
    children = zip(one.children(), other.children(), strict=True)
    return (
        type(one) is type(other)
        and _has_equal_own(one, other)
        and all(are_equal(first, second) for first, second in children)
    )


def _has_equal_own(one: nn.Module, other: nn.Module) -> bool:
    return _own(one) == _own(other)


def _own(module: nn.Module) -> dict[str, Any]:
    """Give what a module has itself: plain settings and the shapes of its own tensors."""
    found: dict[str, Any] = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, PLAIN) and name != "training"
    }
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    found.update({f"shape of {name}": tuple(tensor.shape) for name, tensor in tensors})
    forward = vars(module).get("forward")  # put on the instance
    return found if forward is None else {**found, "forward": forward}


def _shown(module: nn.Module) -> str:
    lines = str(module).splitlines()
    return lines[0] if len(lines) == 1 else type(module).__name__


def call(model: nn.Module, inputs: Any) -> Any:
    """Give a network its inputs: a tensor, or a tuple or dict of what `forward` takes."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


@torch.no_grad()
def _interfaces(model: nn.Module, inputs: Any) -> dict[str, list[Interface]]:
    """Record the shapes that go into and come out of every module, in the order of its calls."""
    found: dict[str, list[Interface]] = {}
    handles = [
        module.register_forward_hook(_recorder(name, found), with_kwargs=True)
        for name, module in model.named_modules()
    ]
    try:
        with evaluation_mode(model):
            call(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _recorder(name: str, found: dict[str, list[Interface]]) -> Callable[..., None]:
    def record(module: nn.Module, given: Any, named: Any, result: Any) -> None:
        found.setdefault(name, []).append((_shapes((given, named)), _shapes(result)))

    return record


def _shapes(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, Mapping):
        return {str(name): _shapes(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shapes(item) for item in value]
    return None
