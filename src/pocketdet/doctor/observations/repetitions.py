"""One module in several places, and what flows through it there."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call


@dataclass(frozen=True, kw_only=True, eq=False)
class Repetition:
    """A module with parameters that is registered under several names.

    - `names`: all of them; `numel`: values of its parameters; `num_calls`: in one pass;
    - `is_chain`: whether some call's input depends on an earlier call's output;
    - `has_same_input`: whether two calls are given the same values.
    """

    names: tuple[str, ...]
    numel: int
    num_calls: int
    is_chain: bool
    has_same_input: bool


def repetitions(model: nn.Module, batch: Call) -> tuple[Repetition, ...]:
    """Find them, and run a copy in evaluation mode to see how they are called."""
    patient = copy_of(model).eval()
    names: dict[int, list[str]] = {}
    modules: dict[int, nn.Module] = {}
    for name, module in patient.named_modules(remove_duplicate=False):
        if next(module.parameters(), None) is not None:
            names.setdefault(id(module), []).append(name)
            modules[id(module)] = module
    shared = {key: modules[key] for key, all_names in names.items() if len(all_names) > 1}
    outer = {k: m for k, m in shared.items() if not _is_inside_another(m, shared)}
    if not outer:
        return ()
    calls = _watched(patient, outer, batch)
    return tuple(_repetition(names[k], m, calls.get(k, [])) for k, m in outer.items())


def _is_inside_another(module: nn.Module, shared: dict[int, nn.Module]) -> bool:
    return any(other is not module and module in other.modules() for other in shared.values())


Calls = list[tuple[Tensor, Tensor]]


def _watched(patient: nn.Module, modules: dict[int, nn.Module], batch: Call) -> dict[int, Calls]:
    calls: dict[int, Calls] = {}

    def watch(module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        given = next((t for _, t in tensors_in([args, kwargs]) if t.is_floating_point()), None)
        said = next((t for _, t in tensors_in(result) if t.is_floating_point()), None)
        if given is not None and said is not None:
            calls.setdefault(id(module), []).append((given, said))

    hooks = [m.register_forward_hook(watch, with_kwargs=True) for m in modules.values()]
    try:
        batch.mapped(torch.clone)(patient)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _repetition(names: list[str], module: nn.Module, calls: Calls) -> Repetition:
    return Repetition(
        names=tuple(names),
        numel=sum(parameter.numel() for parameter in module.parameters()),
        num_calls=len(calls),
        is_chain=any(
            _depends(given, said)
            for index, (given, _) in enumerate(calls)
            for _, said in calls[max(0, index - 1) : index]
        ),
        has_same_input=any(
            given.shape == other.shape and torch.equal(given, other)
            for index, (given, _) in enumerate(calls)
            for other, _ in calls[:index]
        ),
    )


def _depends(given: Tensor, said: Tensor) -> bool:
    if given is said or not (given.requires_grad and said.requires_grad):
        return given is said
    found = torch.autograd.grad(given.sum(), said, retain_graph=True, allow_unused=True)
    reached: list[Tensor | None] = list(found)
    return any(gradient is not None for gradient in reached)
