"""All that the doctor was given to examine."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
import copy
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from pocketdet.doctor.pipeline import DetectionPipeline

TrainingLoss = Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Patient:
    """What checks may ask for by name; one that asks for what is None is not run.

    The fields are those of `examine`. Nothing here may be run or changed by a check: it works
    on what the observations hand out, which are copies.
    """

    model: nn.Module
    inputs: Any
    training_loss: TrainingLoss | None = None
    optimizer: Optimizer | None = None
    reference: nn.Module | None = None
    row_boxes: Tensor | Sequence[Tensor] | None = None
    pipeline: DetectionPipeline | None = None
    average: nn.Module | None = None


FIELDS = tuple(field.name for field in fields(Patient))


def copy_of(*things: Any) -> Any:
    """Copy modules and optimizers together, so that what they share stays shared.

    Tensors that are kept as results of a computation, which Python's own copying refuses, are
    copied as values. Raises `ValueError` where something cannot be copied at all.
    """
    memo: dict[int, Any] = {}
    for thing in things:
        if isinstance(thing, nn.Module):
            memo |= _copied_cheaply(thing)
    try:
        copies = tuple(copy.deepcopy(thing, memo) for thing in things)
    except Exception as error:
        raise ValueError(
            "`model` must be one that `copy.deepcopy` can copy, since the doctor never works on "
            f"the original; copying it raised {type(error).__name__}: {error}"
        ) from error
    return copies[0] if len(copies) == 1 else copies


def _copied_cheaply(model: nn.Module) -> dict[int, Any]:
    """Give copies, by id, of computed tensors and of what is empty.

    A module has a dozen empty containers, for hooks mostly; Python's own way to copy them takes
    longer than a network's weights do.
    """
    return dict(pair for module in model.modules() for pair in _pairs(module))


def _pairs(module: nn.Module) -> Iterator[tuple[int, Any]]:
    for value in [*vars(module).values(), *module.buffers(recurse=False)]:
        if isinstance(value, Tensor):
            if not value.is_leaf:
                yield id(value), value.detach().clone()
        elif type(value) in (OrderedDict, dict, set) and not value:
            yield id(value), type(value)()
