"""The part of a download that has come, and from what it came."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
import json
import os
from pathlib import Path
from typing import BinaryIO


class PartialFile:
    """`NAME.part` beside the file that it will be, and `NAME.part.json` saying whence it is.

    Bytes are only ever added to a part that came from the same version of the same file: the
    server is told the version (`If-Range`), or a checksum shows it in the end.
    """

    def __init__(self, final_path: Path, *, has_checksum: bool) -> None:
        self.final_path = final_path
        self.path = final_path.with_name(f"{final_path.name}.part")
        self.origin_path = final_path.with_name(f"{final_path.name}.part.json")
        self.has_checksum = has_checksum

    @property
    def num_bytes(self) -> int:
        """How much has come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def resuming_headers(self, url: str) -> dict[str, str]:
        """Give the request headers that ask for the rest; none where all must come anew."""
        origin = self._origin()
        version = origin["version"] if origin.get("url") == url else ""
        if not self.num_bytes or not (version or self.has_checksum):
            return {}
        headers = {"Range": f"bytes={self.num_bytes}-"}
        return headers | ({"If-Range": version} if version else {})

    @contextmanager
    def open_at(
        self, start: int, url: str, headers: Mapping[str, str]
    ) -> Generator[BinaryIO, None, None]:
        """Open the part to write from byte `start`; what lay beyond is cut off."""
        if start == 0:
            self.path.unlink(missing_ok=True)  # before its origin changes
            origin = {"url": url, "version": _version(headers)}
            self.origin_path.write_text(json.dumps(origin), encoding="utf-8")
        with self.path.open("ab") as file:
            file.truncate(start)
            file.seek(start)
            yield file

    def discard(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)

    def finish(self) -> Path:
        """Give the whole file its name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.final_path)
        self.origin_path.unlink(missing_ok=True)
        return self.final_path

    def _origin(self) -> dict[str, str]:
        try:
            return json.loads(self.origin_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # none yet, or cut off by a power failure
            return {}


def _version(headers: Mapping[str, str]) -> str:
    """Give what `If-Range` takes: a strong ETag, else the date; a weak ETag will not do."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
