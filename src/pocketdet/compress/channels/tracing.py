"""Follow every channel through one forward pass of a detector.

Each place along an axis of a parameter has a label. The operators of the pass are seen one by one
(`TorchDispatchMode`), whatever modules they come from: a sum joins the labels of its terms, a
concatenation lays them side by side, a convolution joins its input's labels with those of its
kernel. What an operator would make of a missing channel must be what it makes of a zero one;
where that is not so (a mean over channels, a softmax over them, a reshape that mixes them, an
operator that is not known), the labels are fixed and the channels stay.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pocketdet.compress.channels.labels import Labels, Places
from pocketdet.model import Detector
from pocketdet.model.cuts_channels import CutsChannels
from pocketdet.model.evaluation_mode import evaluation_mode

BATCH = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """Labels of each axis of a tensor; None where there is nothing that could be removed.

    `is_zero`: where a label is removed, the value is zero if all weights that carry it are.
    """

    places: tuple[Places | None, ...]
    is_zero: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """A number of a module that is the number of these places."""

    module: str
    attribute: str
    before: Places


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A convolution or matrix product: `factor` times the sizes of these axes are its MACs."""

    factor: int
    axes: tuple[Places, ...]


class Trace:
    """What one pass has shown. Axes of tensors are kept by identity, so all tensors are held."""

    def __init__(self, detector: Detector) -> None:
        self.labels = Labels()
        self.tensors: dict[str, Axes] = {}
        self.cuts: list[Cut] = []
        self.products: list[Product] = []
        self.modules: list[tuple[str, nn.Module]] = [("", detector)]
        self._axes: dict[int, Axes] = {}
        self._held: list[Tensor] = []
        for name, tensor in _named_tensors(detector):
            # Places within a kernel are no channels.
            own = [
                self._fresh(size) if n < 2 or tensor.dim() < 3 else None
                for n, size in enumerate(tensor.shape)
            ]
            self.tensors[name] = Axes(places=tuple(own))
            self.put(tensor, self.tensors[name])

    def _fresh(self, size: int) -> Places | None:
        return self.labels.new(size) if size > 1 else None

    def put(self, tensor: Tensor, axes: Axes) -> None:
        self._held.append(tensor)
        self._axes[id(tensor)] = axes

    def of(self, tensor: Tensor) -> Axes:
        unlabelled = Axes(places=(None,) * tensor.dim(), is_zero=False)
        return self._axes.get(id(tensor), unlabelled)

    def fix(self, axes: Sequence[Places | None], reason: str) -> None:
        self.labels.fix(axes, f"{reason} in {self.modules[-1][0] or 'the detector itself'}")

    def cut(self, places: Places, bound: int) -> None:
        """Note that an axis is cut before place `bound`, at a number that can follow or not."""
        name, module = self.modules[-1]
        declared = module.cuts if isinstance(module, CutsChannels) else ()
        found = [attribute for attribute in declared if getattr(module, attribute) == bound]
        if len(found) == 1:
            self.cuts.append(Cut(module=name, attribute=found[0], before=places[:bound]))
        else:
            self.fix([places], f"cut at channel {bound}")


def _named_tensors(detector: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from detector.named_parameters()
    persistent = set(detector.state_dict())
    for name, buffer in detector.named_buffers():
        if name in persistent and buffer.dim():
            yield name, buffer


Rule = Callable[[Trace, tuple[Any, ...], Any], Axes | list[Axes] | None]
"""Reads an operator's arguments and result, and gives the axes of what results."""


class _Follower(TorchDispatchMode):
    def __init__(self, trace: Trace, rules: dict[str, Rule]) -> None:
        super().__init__()
        self.trace, self.rules = trace, rules

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        name = str(func.overloadpacket).removeprefix("aten.")
        rule = self.rules.get(name) or self.rules.get(name.removesuffix("_"))
        arguments = (*args, *given.values()) if rule is None else args
        axes = self._unknown(name, arguments) if rule is None else rule(self.trace, args, result)
        self._note(result, axes)
        return result

    def _unknown(self, name: str, arguments: Sequence[Any]) -> None:
        for tensor in _tensors(arguments):
            self.trace.fix(self.trace.of(tensor).places, f"`{name}`")

    def _note(self, result: Any, axes: Axes | list[Axes] | None) -> None:
        if axes is None:
            return
        results: list[Any] = list(result) if isinstance(result, list | tuple) else [result]
        for tensor, own in zip(results, axes if isinstance(axes, list) else [axes], strict=False):
            self.trace.put(tensor, own)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


@torch.no_grad()
def trace_channels(detector: Detector, rules: dict[str, Rule]) -> Trace:
    """Run a detector once on a made-up picture; its outputs and the picture's channels stay."""
    trace = Trace(detector)
    height, width = detector.contract.height, detector.contract.width
    images = torch.randn(BATCH, 3, height, width, device=detector.device)
    picture = trace.labels.new(3)
    trace.put(images, Axes(places=(None, picture, None, None), is_zero=False))
    trace.labels.fix([picture], "the picture's own channels")
    with evaluation_mode(detector), _followed_modules(trace, detector), _Follower(trace, rules):
        outputs = detector(images)
    for tensor in outputs:
        trace.labels.fix(trace.of(tensor).places, "the detector's outputs")
    return trace


@contextmanager
def _followed_modules(trace: Trace, detector: nn.Module) -> Generator[None]:
    handles: list[Any] = []
    for name, module in detector.named_modules():

        def enter(module: nn.Module, _: Any, name: str = name) -> None:
            trace.modules.append((name, module))

        def leave(module: nn.Module, _: Any, result: Any) -> None:
            trace.modules.pop()

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
