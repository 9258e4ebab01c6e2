"""Tensors inside nested inputs and outputs: lists, tuples, dicts, dataclasses, named tuples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Any

from torch import Tensor


def tensors_in(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Give every tensor with its path, such as `.logits[0]`."""
    if isinstance(value, Tensor):
        yield path, value
        return
    for step, item in _items(value):
        yield from tensors_in(item, f"{path}{step}")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif isinstance(value, tuple | list):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, SimpleNamespace):
        yield from ((f".{key}", item) for key, item in vars(value).items())
    elif is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        yield from ((f".{name}", getattr(value, name, None)) for name in names)


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
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{k: map_tensors(v, change) for k, v in vars(value).items()})
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.init]
        return replace(value, **{n: map_tensors(getattr(value, n), change) for n in names})
    return value


def with_tensors(value: Any, tensors: Iterable[Tensor]) -> Any:
    """Give the same structure with these tensors in place of its own, in their order."""
    left = iter(tensors)
    return map_tensors(value, lambda _: next(left))


def _rebuilt_mapping(value: Any, items: dict[Any, Any]) -> Any:
    try:
        return type(value)(items)
    except TypeError:
        return items


def _is_named(value: tuple[Any, ...]) -> bool:
    return type(value) is not tuple and getattr(type(value), "_fields", None) is not None
