"""A patient named on the command line: `my_module:build --input 2x3x320x320`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
import re
import sys
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.doctor.data_stage import users_line
from pocketdet.doctor.loss_call import first_line


def build_named(path: str) -> nn.Module:
    """Make the network that `module:name` names: a function or class without arguments, or it."""
    found = named(path)
    model = found if isinstance(found, nn.Module) else _called(found, path)
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"`{path}` must be a torch.nn.Module, or give one when called without arguments; it "
            f"gave {type(model).__name__}."
        )
    return model


def _called(build: Any, path: str) -> Any:
    if not callable(build):
        raise ValueError(f"`{path}` must be a module or a function; got {type(build).__name__}.")
    try:
        return build()
    except Exception as error:  # The user's own code may raise anything; it is told.
        raise ValueError(
            f"`{path}` is called without arguments, and raised {_told(error)}."
        ) from error


def named_function(path: str, what: str) -> Callable[..., Any]:
    """Give the function that `module:name` names; `what` is the option that wants it."""
    found = named(path)
    if not callable(found):
        raise ValueError(f"`{what}` must name a function; `{path}` is {type(found).__name__}.")
    return found


def named(path: str) -> Any:
    """Give what `module:name` names; the module is looked for in the working folder too."""
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise ValueError(f"`{path}` must have the form module:name, such as my_nets:build.")
    with _importable_from(Path.cwd()):
        module = _imported(module_name, path)
    value: Any = module
    for part in name.split("."):
        if part not in dir(value):
            close = get_close_matches(part, [n for n in dir(value) if n[0] != "_"], n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"`{module_name}` has no `{part}`.{hint}")
        value = getattr(value, part)
    return value


def _imported(module_name: str, path: str) -> Any:
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise ValueError(f"`{path}` cannot be imported: {_told(error)}.") from error
        raise ValueError(
            f"`{path}` names the module `{module_name}`, which is neither installed nor in "
            f"{Path.cwd()}."
        ) from error
    except Exception as error:  # The user's own code may raise anything; it is told.
        raise ValueError(f"`{path}` cannot be imported: {_told(error)}.") from error


def _told(error: Exception) -> str:
    line = users_line(error)
    return first_line(error).rstrip(".") + (f" ({line})" if line is not None else "")


def parse_inputs(text: str) -> Tensor | tuple[Tensor, ...] | dict[str, Tensor]:
    """Read `2x3x320x320` as uniform noise in [0, 1] of that shape.

    Several are separated by commas, in the order of `forward`'s arguments; with names,
    `pixel_values=2x3x64x64,labels=2:10` is passed by keyword. `SIZES:N` is integers below N.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    names = [part.partition("=")[0] for part in parts if "=" in part]
    tensors = [_parse_one(part.rpartition("=")[2]) for part in parts]
    if not tensors or len(names) not in (0, len(tensors)):
        raise ValueError(f"`--input` must name all of its inputs or none; got `{text}`.")
    if names:
        return dict(zip(names, tensors, strict=True))
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def parse_sizes(text: str) -> dict[str, tuple[int, ...]]:
    """Read `2x3x320x320`, or `images=2x3x320x320,mask=2x10`, as sizes by name ("" without one)."""
    sizes: dict[str, tuple[int, ...]] = {}
    for part in text.split(","):
        name, _, value = part.strip().rpartition("=")
        sizes[name] = tuple(_parse_one(value).shape)
    return sizes


def _parse_one(text: str) -> Tensor:
    match = re.fullmatch(r"(\d+(?:x\d+)*)(?::(\d+))?", text.strip())
    if match is None:
        raise ValueError(
            f"`--input` must be sizes such as 2x3x320x320 (batch, channels, height, width); got "
            f"`{text}`."
        )
    shape = [int(size) for size in match.group(1).split("x")]
    if 0 in shape:
        raise ValueError(f"`--input` must have no size of 0; got `{text}`.")
    generator = torch.Generator().manual_seed(0)
    if match.group(2):
        return torch.randint(0, int(match.group(2)), shape, generator=generator)
    return torch.rand(shape, generator=generator)


@contextmanager
def _importable_from(folder: Path) -> Generator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
