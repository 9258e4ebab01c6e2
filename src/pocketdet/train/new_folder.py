"""Folders for results: a name that is taken is never given twice, nor overwritten."""

from itertools import count
from pathlib import Path


def named_folder(parent: Path, name: str, *, of: str) -> Path:
    """Make `parent / name`; raises `ValueError` for a path, or a folder that exists.

    `of` says what the folder is of, in the message: a run, a result.
    """
    if Path(name).name != name or name in ("", ".."):
        raise ValueError(f"`name` must be the name of a folder, without a path; got {name!r}.")
    path = parent / name
    parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError as error:
        raise ValueError(
            f"`name` must be new, since no {of} is overwritten; {path} exists. Choose another, or "
            f"go on with that {of}: --resume {path}."
        ) from error
    return path


def numbered_folder(parent: Path, stem: str) -> Path:
    """Make `parent / stem-1`, or the first number that is free."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = parent / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("numbers do not end")
