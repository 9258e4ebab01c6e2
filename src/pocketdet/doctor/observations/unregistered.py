"""Weights that the network uses and `parameters()` does not give."""

from collections.abc import Iterator
from dataclasses import dataclass
import re
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Trace, Value
from pocketdet.doctor.trace.module_names import TORCHS_OWN, hidden_modules

MOST_ITEMS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class HiddenModules:
    """Modules that an attribute holds and torch does not know of.

    - `name`: the attribute, such as `head.blocks`; `source`: the line that assigns it;
    - `kinds`: class names; `weights`: their parameters with `requires_grad`;
    - `learns`: whether a gradient of the outputs reaches one of them.
    """

    name: str
    source: SourceLine | None
    kinds: tuple[str, ...]
    weights: tuple[Tensor, ...]
    learns: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class LooseTensor:
    """A tensor that takes part in the pass as a weight, and is no parameter or buffer.

    - `name`: the attribute that holds it, "" where none does; `op`: who reads it first;
    - `value`: in the recorded pass; `is_trainable`: whether it has `requires_grad`.
    """

    name: str
    source: SourceLine | None
    op: Op
    value: Value
    tensor: Tensor | None
    is_trainable: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Unregistered:
    """What is used and not registered: whole modules, and single tensors."""

    modules: tuple[HiddenModules, ...]
    tensors: tuple[LooseTensor, ...]


def unregistered(model: nn.Module, batch: Call, trace: Trace) -> Unregistered:
    """Look through attributes, and through the recorded pass for what they do not explain."""
    return Unregistered(
        modules=tuple(_hidden(model, batch)), tensors=tuple(_loose_tensors(model, trace))
    )


def _hidden(model: nn.Module, batch: Call) -> Iterator[HiddenModules]:
    groups: dict[str, list[tuple[str, nn.Module]]] = {}
    for name, module in hidden_modules(model):
        groups.setdefault(re.split(r"\[", name)[0], []).append((name, module))
    if not groups:
        return
    learning = _hidden_that_learn(model, batch)
    for attribute, held in groups.items():
        parameters = [p for _, module in held for p in module.parameters() if p.requires_grad]
        yield HiddenModules(
            name=attribute,
            source=assigned_line(model, attribute),
            kinds=tuple(type(module).__name__ for _, module in held),
            weights=tuple(parameters),
            learns=any(name in learning for name, _ in held),
        )


def _hidden_that_learn(model: nn.Module, batch: Call) -> set[str]:
    """Name the hidden modules that a gradient of the outputs reaches."""
    patient = copy_of(model).train()
    named = [
        (name, parameter)
        for name, module in hidden_modules(patient)
        for parameter in module.parameters()
        if parameter.requires_grad
    ]
    outputs = [t for _, t in tensors_in(batch.mapped(torch.clone)(patient)) if t.requires_grad]
    if not named or not outputs:
        return set()
    total = torch.stack([(out * torch.randn_like(out)).sum() for out in outputs]).sum()
    gradients = torch.autograd.grad(total, [p for _, p in named], allow_unused=True)
    reached: list[Tensor | None] = list(gradients)
    return {name for (name, _), g in zip(named, reached, strict=True) if g is not None}


def _loose_tensors(model: nn.Module, trace: Trace) -> Iterator[LooseTensor]:
    held = list(_held_tensors(model))
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    seen: set[tuple[str, str | None]] = set()
    values = {id(v): v for op in trace.forward_ops for v in op.inputs if _is_loose(v)}
    for value in values.values():
        readers = [op for op in value.consumers if op.index in to_outputs]
        if not readers:
            continue
        op = readers[0]
        name = next((name for name, tensor in held if _is_same(tensor, value)), "")
        is_trainable = value.requires_grad or any(
            tensor.requires_grad for n, tensor in held if n == name
        )
        if (not name and not is_trainable) or (name or str(op.source), op.where) in seen:
            continue
        seen.add((name or str(op.source), op.where))
        yield LooseTensor(
            name=name,
            source=assigned_line(model, name) if name else op.source,
            op=op,
            value=value,
            tensor=value.tensor,
            is_trainable=is_trainable,
        )


def _is_loose(value: Value) -> bool:
    """Say whether no one registered it: a constant, or a result made to require gradients."""
    if value.kind == "constant":
        return value.is_float
    if value.kind != "result" or not value.requires_grad or value.producer is None:
        return False
    return not any(v.requires_grad for v in value.producer.inputs)


def _is_same(tensor: Tensor, value: Value) -> bool:
    if value.tensor is None or tensor.shape != value.tensor.shape:
        return False
    return tensor.dtype == value.dtype and torch.equal(tensor.detach(), value.tensor)


def _held_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for owner, module in model.named_modules():
        for attribute, value in list(vars(module).items()):
            if attribute in TORCHS_OWN:
                continue
            name = f"{owner}.{attribute}" if owner else attribute
            for tensor in _tensors_in(value, depth=2):
                if tensor.is_floating_point():
                    yield name, tensor


def _tensors_in(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, list | tuple | dict):
        items = list(value.values()) if isinstance(value, dict) else list(value)
        for item in items[:MOST_ITEMS]:
            yield from _tensors_in(item, depth - 1)
