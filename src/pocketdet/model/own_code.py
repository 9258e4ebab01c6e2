"""Code of the user's own: where it is found, and what it raises, in one sentence."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder
from pathlib import Path
import sys
from sysconfig import get_path
import traceback
from types import ModuleType
from typing import Any

from torch import nn

PACKAGE = Path(__file__).parents[1]
OTHERS = ("site-packages", "dist-packages", "<frozen", get_path("stdlib"))
"""What the path of a file has in it that is neither ours nor the user's."""


@contextmanager
def importable_from(*folders: Path | str) -> Generator[None]:
    """Let modules in these folders be imported for a while, before all others of their names."""
    before = list(sys.path)
    sys.path[:0] = [str(Path(folder).resolve()) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


def import_own(name: str, where: str) -> ModuleType:
    """Import a module that `where` names, from `sys.path` or from the working folder.

    Raises `ValueError` where there is none, where it raises something itself, and where a file of
    that name with other contents was imported before, which Python would hand out again.
    """
    top = name.partition(".")[0]
    before = list(sys.path)
    sys.path.append(str(Path.cwd()))
    try:
        invalidate_caches()
        _refuse_namesake(top, where)
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (top, name):
            raise ValueError(_not_imported(name, where, error)) from error
        raise ValueError(
            f"`{where}` names the module `{name}`, which cannot be found; put its folder on "
            "PYTHONPATH, or the file beside the config file or into the working folder."
        ) from error
    except ValueError:
        raise
    except Exception as error:  # The user's module may raise anything; it is told in a sentence.
        raise ValueError(_not_imported(name, where, error)) from error
    finally:
        sys.path[:] = before


def _not_imported(name: str, where: str, error: Exception) -> str:
    return f"`{where}` names the module `{name}`, which cannot be imported: {said(error)}."


def _refuse_namesake(top: str, where: str) -> None:
    loaded = getattr(sys.modules.get(top), "__file__", None)
    spec = PathFinder.find_spec(top)
    if loaded is None or spec is None or spec.origin is None:
        return
    before, now = Path(loaded), Path(spec.origin)
    if before.is_file() and now.is_file() and before.read_bytes() != now.read_bytes():
        raise ValueError(
            f"`{where}` names the module `{top}` in {now}, and another one of that name, {before}, "
            "is in use already; give one of the two files another name."
        )


@contextmanager
def of_part(place: str, part: object, doing: str) -> Generator[None]:
    """Turn whatever a part raises in here into a `ValueError` that says which part it was.

    A `ValueError` of our own, which says so already, stays as it is.
    """
    try:
        yield
    except Exception as error:  # A part of the user's own may raise anything.
        if isinstance(error, ValueError) and _last_file(error).is_relative_to(PACKAGE):
            raise
        raise ValueError(
            f"`{place}` ({type(part).__name__}) cannot be {doing}: {said(error)}."
        ) from error


def built(place: str, part: Any, /, *arguments: Any, **named: Any) -> nn.Module:
    """Build a part; raises `ValueError` for what it raises, and for what is no module."""
    with of_part(place, part, "built"):
        module: Any = part.build(*arguments, **named)
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"`{place}`: `build` of {type(part).__name__} must give a torch.nn.Module; it gave "
            f"{type(module).__name__}."
        )
    return module


def said(error: BaseException) -> str:
    """Say in one line what was raised, and at which line of the user's code, if at any."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"SyntaxError: {error.msg} ({Path(error.filename).name}:{error.lineno})"
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
    line = _users_line(error)
    return f"{text} ({line})" if line else text


def as_sentence(error: Exception) -> Exception:
    """Give a `ValueError` of one sentence for what came through the user's code, else the same."""
    if _users_line(error) is None or isinstance(error, OSError):
        return error
    if isinstance(error, ValueError) and _last_file(error).is_relative_to(PACKAGE):
        return error
    return ValueError(f"The user's code raised {said(error)}.")


def _users_line(error: BaseException) -> str | None:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if not file.is_relative_to(PACKAGE) and not any(part in str(file) for part in OTHERS):
            return f"{file.name}:{frame.lineno}"
    return None


def _last_file(error: BaseException) -> Path:
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename)


def own_files(*configs: object) -> dict[str, Path]:
    """Give the source file of every module that a config has parts from and that is not ours."""
    modules = {kind.__module__ for config in configs for kind in _kinds(config)}
    files = {
        name: getattr(sys.modules[name], "__file__", None)
        for name in modules
        if name.partition(".")[0] != "pocketdet"
    }
    return {name: Path(file).resolve() for name, file in files.items() if file is not None}


def own_folders(*configs: object) -> list[str]:
    """Give the folders in which another process finds the modules of parts that are not ours."""
    found = {
        str(file.parents[name.count(".") + (file.name == "__init__.py")])
        for name, file in own_files(*configs).items()
    }
    return sorted(found)


def existing(folders: Sequence[Any]) -> list[Path]:
    """Leave out the folders that this machine does not have."""
    return [path for path in map(Path, map(str, folders)) if path.is_dir()]


def _kinds(value: Any) -> Iterator[type]:
    if isinstance(value, tuple):
        for item in value:
            yield from _kinds(item)
    elif is_dataclass(value):
        yield type(value)
        for entry in fields(value):
            yield from _kinds(getattr(value, entry.name))
