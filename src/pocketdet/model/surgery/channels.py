"""Fewer channels than the config states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

Number = int | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Channels:
    """What differs in shape from the detector that the config builds.

    - `shapes`: parameters and buffers by qualified name, with their new shapes;
    - `numbers`: modules by qualified name, with their attributes that are numbers of channels
      (`in_channels`, `groups`, a place at which a map is cut) and the new values.
    """

    kind: ClassVar[str] = "channels"
    version: ClassVar[int] = 1

    shapes: Mapping[str, tuple[int, ...]]
    numbers: Mapping[str, Mapping[str, Number]]

    @classmethod
    def between(cls, built: nn.Module, pruned: nn.Module) -> "Channels":
        """Record what turns `built` into `pruned`, which has the same modules."""
        before = built.state_dict()
        numbers = {
            name: changed
            for name, module in pruned.named_modules()
            if (changed := _changed_numbers(built.get_submodule(name), module))
        }
        return cls(
            shapes={
                name: tuple(tensor.shape)
                for name, tensor in pruned.state_dict().items()
                if tensor.shape != before[name].shape
            },
            numbers=numbers,
        )

    def perform(self, detector: nn.Module) -> None:
        """Give tensors their new shapes, with values that are still to be loaded."""
        for path, shape in self.shapes.items():
            module_name, _, name = path.rpartition(".")
            module = _module_of(detector, module_name, path)
            tensor = _tensor_of(module, name, path)
            reshape(module, name, tensor.detach().new_zeros(shape))
        for path, values in self.numbers.items():
            module = _module_of(detector, path, path)
            for name, value in values.items():
                if name not in vars(module):
                    raise ValueError(_unfit(f"{path}.{name}"))
                setattr(module, name, value)


def reshape(module: nn.Module, name: str, values: torch.Tensor) -> None:
    """Put values of another shape in the place of a module's parameter or buffer."""
    before = module.get_parameter(name) if name in dict(module.named_parameters()) else None
    if before is None:
        module.register_buffer(name, values, persistent=name in module.state_dict())
    else:
        setattr(module, name, nn.Parameter(values, requires_grad=before.requires_grad))


def _changed_numbers(before: nn.Module, after: nn.Module) -> dict[str, Number]:
    old = vars(before)
    return {
        name: value
        for name, value in vars(after).items()
        if _is_number(value) and value != old.get(name)
    }


def _is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_is_number(item) for item in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _module_of(detector: nn.Module, name: str, path: str) -> nn.Module:
    try:
        return detector.get_submodule(name)
    except AttributeError as error:
        raise ValueError(_unfit(path)) from error


def _tensor_of(module: nn.Module, name: str, path: str) -> torch.Tensor:
    tensors = dict(module.named_parameters(recurse=False))
    tensors |= dict(module.named_buffers(recurse=False))
    if name not in tensors:
        raise ValueError(_unfit(path))
    return tensors[name]


def _unfit(path: str) -> str:
    return (
        f"the checkpoint's channels name `{path}`, which the detector of its config has not; the "
        "code of a part has changed since it was saved."
    )
