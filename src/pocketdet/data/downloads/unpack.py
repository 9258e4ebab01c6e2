"""Unpack zip and tar archives that nobody has looked into yet."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
import shutil
import stat
import tarfile
from typing import IO
import zipfile

from pocketdet.data.progress import Progress, silent

COPY_BYTES = 1 << 20


class UnsafeArchive(ValueError):
    """An archive that would write where it has no business."""


class DamagedArchive(ValueError):
    """An archive that cannot be read to its end, or whose checksums are wrong."""


@dataclass(frozen=True)
class _Member:
    """A plain file in an archive."""

    name: str
    num_bytes: int
    content: IO[bytes]


def unpack(archive: Path, folder: Path, *, inside: str = "", progress: Progress = silent) -> None:
    """Unpack the plain files below `inside` into a folder, their paths counted from there.

    A path that leads elsewhere, a link or a device raises `UnsafeArchive`. The checksums that
    a zip carries are checked.
    """
    read = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    total, done = archive.stat().st_size, 0
    doing = f"unpacking {archive.name}"
    try:
        for member in read(archive):
            path = _path_below(inside, member.name, archive)
            if path is not None:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(member.content, file, COPY_BYTES)
            done = min(total, done + member.num_bytes)  # images hardly shrink when packed
            progress(doing, done, total)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DamagedArchive(f"{archive.name} is damaged: {error}.") from error
    progress(doing, total, total)


def _zip_members(archive: Path) -> Generator[_Member, None, None]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise UnsafeArchive(f"{archive.name} holds a link: `{info.filename}`.")
            with packed.open(info) as content:
                yield _Member(info.filename, info.file_size, content)


def _tar_members(archive: Path) -> Generator[_Member, None, None]:
    with tarfile.open(archive) as packed:
        for info in packed:
            if info.isdir():
                continue
            content = packed.extractfile(info) if info.isreg() else None
            if content is None:
                raise UnsafeArchive(f"{archive.name} holds a link or device: `{info.name}`.")
            with content:
                yield _Member(info.name, info.size, content)


def _path_below(inside: str, name: str, archive: Path) -> PurePosixPath | None:
    """Give a member's path counted from `inside`, None when it lies elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise UnsafeArchive(f"{archive.name} would write outside its folder: `{name}`.")
    return path.relative_to(inside) if path.is_relative_to(inside) else None
