"""Names for every module that a network holds, registered or not."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

MOST_ITEMS = 10_000


def common_module(names: Sequence[str]) -> str:
    """Name the innermost module that holds all of these; "" is the network itself."""
    shared: list[str] = []
    for level in zip(*(name.split(".") for name in names), strict=False):  # as deep as the shortest
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)


def module_names(model: nn.Module) -> dict[int, str]:
    """Give each module's name by its id: as in `named_modules()`, or by where it is hidden."""
    names = {id(module): name for name, module in reversed(list(model.named_modules()))}
    for name, module in hidden_modules(model):
        for inner, part in module.named_modules():
            names.setdefault(id(part), f"{name}.{inner}" if inner else name)
    return names


def hidden_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Give modules that attributes hold and torch does not know of, such as those in a list."""
    known = {id(module) for module in model.modules()}
    for owner, module in list(model.named_modules()):
        for attribute, value in list(vars(module).items()):
            if attribute.startswith("_") and attribute in TORCHS_OWN:
                continue
            name = f"{owner}.{attribute}" if owner else attribute
            for path, hidden in _modules_in(value, name, depth=3):
                if id(hidden) not in known:
                    known.add(id(hidden))
                    yield path, hidden


def _modules_in(value: Any, path: str, depth: int) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield path, value
    elif depth and isinstance(value, list | tuple):
        for index, item in enumerate(value[:MOST_ITEMS]):
            yield from _modules_in(item, f"{path}[{index}]", depth - 1)
    elif depth and isinstance(value, dict):
        for key, item in list(value.items())[:MOST_ITEMS]:
            yield from _modules_in(item, f"{path}[{key!r}]", depth - 1)


TORCHS_OWN = frozenset(vars(nn.Module()))
