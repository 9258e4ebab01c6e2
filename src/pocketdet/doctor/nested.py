"""Tensors inside nested inputs and outputs: lists, tuples, dicts, dataclasses, named tuples."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor


def tensors_in(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Give every tensor with its path, such as `.logits[0]`."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_in(item, f"{path}[{key!r}]")
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from tensors_in(item, f"{path}[{index}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name, None), f"{path}.{field.name}")


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Give the same structure with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        items = {key: map_tensors(item, change) for key, item in value.items()}
        return items if type(value) is dict else _rebuilt_mapping(value, items)
    if isinstance(value, tuple):
        mapped = [map_tensors(item, change) for item in value]
        return type(value)(*mapped) if _is_named(value) else tuple(mapped)
    if isinstance(value, list):
        return [map_tensors(item, change) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.init]
        return replace(value, **{n: map_tensors(getattr(value, n), change) for n in names})
    return value


def _rebuilt_mapping(value: Any, items: dict[Any, Any]) -> Any:
    try:
        return type(value)(items)
    except TypeError:
        return items


def _is_named(value: tuple[Any, ...]) -> bool:
    return type(value) is not tuple and getattr(type(value), "_fields", None) is not None
