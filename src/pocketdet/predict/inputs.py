"""Which files `pocketdet predict` is asked to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
import os
from pathlib import Path

from pocketdet.data.formats.image_folder import list_images

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"})


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files to look at, each once, in the order in which they were asked for."""

    pictures: tuple[Path, ...]
    videos: tuple[Path, ...]


def find_inputs(asked: Sequence[str], *, leave_out: Path | None = None) -> Inputs:
    """Find pictures and videos by files, folders (with all below them) and glob patterns.

    What lies in the folder `leave_out` is not looked at: it is where results go. Something that
    does not exist, or holds no picture, is a `ValueError`.
    """
    files: dict[Path, None] = {}
    for item in asked:
        found = _files_of(item)
        if leave_out is not None:
            results = leave_out.resolve()
            found = [file for file in found if results not in file.resolve().parents]
        if not found:
            raise ValueError(f"`{item}` must be or hold pictures or videos; it has none.")
        files.update(dict.fromkeys(found))
    return Inputs(
        pictures=tuple(file for file in files if not _is_video(file)),
        videos=tuple(file for file in files if _is_video(file)),
    )


def _files_of(item: str) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        return [*list_images(path), *_videos_below(path)]
    if path.exists():
        return [path]
    base = Path(path.anchor)
    matches = sorted(base.glob(str(path.relative_to(base)))) if item else []
    if not matches:
        raise ValueError(f"`{item}` must be a file, a folder or a pattern; there is no such file.")
    return [file for match in matches for file in _files_of(str(match))]


def _videos_below(folder: Path) -> list[Path]:
    return sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder)
        for name in names
        if _is_video(Path(name))
    )


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES
