"""One call of a network: what `forward` takes, and variants of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor.nested import map_tensors, tensors_in

IMAGE_AXES = 3  # (c, h, w)


@dataclass(frozen=True, eq=False)
class Call:
    """Arguments of `forward`, from a tensor, a tuple of arguments or a dict of keyword arguments.

    `given` keeps what the user gave, because a `training_loss` takes it in the same form.
    """

    given: Any

    def __call__(self, model: nn.Module) -> Any:
        """Run the model."""
        if isinstance(self.given, Mapping):
            return model(**self.given)
        if isinstance(self.given, tuple):
            return model(*self.given)
        return model(self.given)

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Give every tensor with its path."""
        return list(tensors_in(self.given))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "Call":
        """Give the same call with every tensor changed."""
        return Call(map_tensors(self.given, change))

    @property
    def is_list_of_samples(self) -> bool:
        """Whether images come one by one in a list, without an axis of samples."""
        given = self.given
        arguments = list(given.values()) if isinstance(given, Mapping) else given
        for argument in arguments if isinstance(arguments, tuple | list) else ():
            if isinstance(argument, list) and argument:
                tensors = [item for item in argument if isinstance(item, Tensor)]
                if len(tensors) == len(argument) and all(t.ndim == IMAGE_AXES for t in tensors):
                    return True
        return False

    @property
    def batch_size(self) -> int:
        """The first size of the first tensor that is no scalar; 1 without any."""
        return next((int(t.shape[0]) for _, t in self.tensors() if t.ndim), 1)

    def of_batch(self, size: int) -> "Call":
        """Give a call with so many samples: the given ones, then altered copies of them."""
        now = self.batch_size

        def resize(tensor: Tensor) -> Tensor:
            if not tensor.ndim or tensor.shape[0] != now or now == size:
                return tensor
            parts = [tensor[:size]]
            while sum(len(part) for part in parts) < size:
                missing = size - sum(len(part) for part in parts)
                parts.append(redrawn(tensor)[:missing])
            return torch.cat(parts)

        return self.mapped(resize)

    def with_other_samples(self, rows: slice) -> "Call":
        """Give a call in which these samples are drawn anew, and the others are as they were."""
        now = self.batch_size

        def change(tensor: Tensor) -> Tensor:
            if not tensor.ndim or tensor.shape[0] != now:
                return tensor
            changed = tensor.clone()
            changed[rows] = redrawn(tensor)[rows]
            return changed

        return self.mapped(change)

    def resized(self, scale: float, multiple: int = 1) -> "Call":
        """Give a call whose images (b, c, H, W) are larger or smaller, to a multiple of pixels."""

        def change(tensor: Tensor) -> Tensor:
            if tensor.ndim != 4 or not tensor.is_floating_point():
                return tensor
            size = [max(1, round(side * scale / multiple)) * multiple for side in tensor.shape[-2:]]
            return nn.functional.interpolate(tensor, size=size, mode="bilinear")

        return self.mapped(change)


def redrawn(tensor: Tensor) -> Tensor:
    """Draw other values like those of a tensor: the same mean and spread, or the same integers."""
    if tensor.dtype == torch.bool or tensor.is_complex():
        return tensor.clone()
    if not tensor.is_floating_point():
        order = torch.randperm(tensor.numel(), device=tensor.device)
        return tensor.flatten()[order].reshape(tensor.shape)
    spread = tensor.std() if tensor.numel() > 1 else tensor.new_tensor(1.0)
    noise = torch.randn_like(tensor)
    return tensor.mean() + noise * torch.where(spread > 0, spread, torch.ones_like(spread))
