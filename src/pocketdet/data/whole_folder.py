"""A new folder that appears whole or not at all."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
import shutil
from uuid import uuid4


@contextmanager
def whole_folder(path: Path) -> Generator[Path, None, None]:
    """Give a temporary folder beside `path` that gets its name when all went well."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists already; name a new or empty folder.")
    partial = path.with_name(f".{path.name}.partial-{uuid4().hex[:8]}")
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
