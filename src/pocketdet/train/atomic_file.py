"""Files that are either the old ones or the new ones, whenever the machine stops."""

from collections.abc import Callable
import os
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside `path`, force it to disk, and rename it.

    The temporary name is always the same, so that what a killed run leaves behind is
    overwritten.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if os.name == "posix":  # Elsewhere a folder cannot be opened, nor need be.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
