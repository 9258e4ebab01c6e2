"""Download a data set and make a folder of it that the ordinary reader reads."""

from dataclasses import dataclass
import os
from pathlib import Path
import shutil

from pocketdet.data.digits.abandoned import remove_abandoned
from pocketdet.data.downloads.byte_size import byte_size
from pocketdet.data.downloads.download import Patience, download
from pocketdet.data.downloads.sources import Archive, Source
from pocketdet.data.downloads.unpack import unpack
from pocketdet.data.formats.data_card import DataCard, write_data_card
from pocketdet.data.progress import Progress, silent
from pocketdet.data.whole_folder import whole_folder

ABANDONED_AFTER = 24 * 3600  # seconds; unpacking takes minutes


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What was done: nothing, if the set was there already.

    `checks` says of each file by what it was found whole.
    """

    name: str
    folder: Path
    was_there: bool
    checks: tuple[str, ...] = ()


def get_dataset(
    source: Source,
    folder: Path,
    *,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Fetched:
    """Download, check and unpack a data set into a new folder, which appears whole or not at all.

    The archives lie in `.NAME.download` beside the folder until it is done, so an interrupted
    download goes on where it was; then they are removed.
    """
    folder = folder.expanduser().absolute()
    if _is_used(folder):
        _check_contents(source, folder, hint=" Name a new or empty folder.")
        return Fetched(name=source.name, folder=folder, was_there=True)
    downloads = folder.with_name(f".{folder.name}.download")
    remove_abandoned(folder, older_than=ABANDONED_AFTER)
    _check_disk(source, downloads)
    archives = [
        download(archive, downloads, patience=patience, progress=progress)
        for archive in source.archives
    ]
    with whole_folder(folder) as partial:
        try:
            for archive in archives:
                unpack(archive, partial, inside=source.inside, progress=progress)
            _check_contents(source, partial)
        except ValueError:
            shutil.rmtree(downloads)  # unpacking them again would end the same way
            raise
        write_data_card(partial, DataCard(traits=source.traits))
    shutil.rmtree(downloads)
    return Fetched(
        name=source.name,
        folder=folder,
        was_there=False,
        checks=tuple(_describe_checks(archive) for archive in source.archives),
    )


def _is_used(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _check_contents(source: Source, folder: Path, *, hint: str = "") -> None:
    for inner, expected in source.num_files.items():
        place = folder / inner
        found = sum(entry.is_file() for entry in os.scandir(place)) if place.is_dir() else 0
        if found < expected:
            raise ValueError(
                f"{folder} is not all of `{source.name}`: {inner} has {found} files instead of "
                f"{expected}.{hint}"
            )


def _check_disk(source: Source, downloads: Path) -> None:
    """Refuse early what cannot fit: the archives still to come, and all of them unpacked."""
    needed = 0
    for archive in source.archives:
        size = archive.num_bytes or 0
        here = [downloads / f"{archive.file_name}{end}" for end in ("", ".part")]
        needed += 2 * size - sum(path.stat().st_size for path in here if path.is_file())
    existing = next(place for place in downloads.parents if place.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise OSError(
            f"`{source.name}` needs {byte_size(needed)} while it is unpacked, and {existing} has "
            f"{byte_size(free)} free."
        )


def _describe_checks(archive: Archive) -> str:
    known = ("size", archive.num_bytes), ("md5", archive.md5)
    checks = [name for name, value in known if value is not None]
    if archive.file_name.endswith(".zip"):
        checks.append("the zip's own checksums")
    return f"{archive.file_name}: {', '.join((*checks, 'numbers of files'))}"
