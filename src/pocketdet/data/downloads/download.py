"""Download one file, going on where an earlier attempt stopped."""

from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import http.client
from pathlib import Path
import time
from typing import BinaryIO
import urllib.error
import urllib.request

from pocketdet.data.downloads.byte_size import byte_size
from pocketdet.data.downloads.partial_file import PartialFile
from pocketdet.data.downloads.sources import Archive
from pocketdet.data.progress import Progress, silent

CHUNK = 1 << 18  # bytes
WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses
BROKEN_CONNECTION = (OSError, http.client.HTTPException)  # URLError and timeouts are OSErrors


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a broken connection is dealt with; times in seconds.

    - `tries`: attempts on end that bring nothing new before it gives up an address, and
      `first_tries` as long as nothing has come from it at all;
    - `first_wait`: the pause after the first, doubled each time; `longest_wait`: at most;
    - `timeout`: how long a silent server is waited for.
    """

    tries: int = 5
    first_tries: int = 2
    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 30.0


class DownloadFailed(OSError):
    """A file that did not come, or did not come whole."""


class _Unusable(Exception):
    """An address that will not do; the next one may."""


def download(
    archive: Archive,
    folder: Path,
    *,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Path:
    """Download a file into a folder and check its size and checksum; gives its path.

    What has come lies in `NAME.part` until all of it is there and right, so a killed download
    goes on where it was, if the server allows it. A file under its own name is whole.
    """
    patience = patience or Patience()
    path = folder / archive.file_name
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = PartialFile(path, has_checksum=archive.md5 is not None)
    reasons: list[str] = []
    for url in archive.urls:
        try:
            _Fetch(archive, url, part, patience, progress).to_the_end()
            return part.finish()
        except _Unusable as reason:
            reasons.append(str(reason))
    kept = f" {byte_size(part.num_bytes)} of it are kept." if part.num_bytes else ""
    raise DownloadFailed(
        f"{archive.file_name} cannot be downloaded: {'; '.join(reasons)}.{kept} Check the "
        "network and run the command again: it goes on where it stopped."
    )


class _Fetch:
    """One address and the part of the file that has come."""

    def __init__(
        self, archive: Archive, url: str, part: PartialFile, patience: Patience, tell: Progress
    ) -> None:
        self.archive = archive
        self.url = url
        self.part = part
        self.patience = patience
        self.tell = tell
        self.total = archive.num_bytes

    def to_the_end(self) -> None:
        """Try until everything has come and is right, or this address will not do."""
        resumed = self.part.num_bytes > 0
        self._until_all_has_come()
        fault = self._fault()
        if fault and resumed:  # the server's file may have changed in between: once more, whole
            self.part.discard()
            self._until_all_has_come()
            fault = self._fault()
        if fault:
            self.part.discard()
            raise _Unusable(f"{self.url} gave a wrong file ({fault})")

    def _until_all_has_come(self) -> None:
        tries, limit = 0, self.patience.first_tries
        while True:
            before = self.part.num_bytes
            try:
                self._receive()
                return
            except urllib.error.HTTPError as error:
                if error.code not in WORTH_ANOTHER_TRY:
                    raise _Unusable(f"{self.url} answers {error.code} {error.reason}") from error
                reason = f"HTTP {error.code} {error.reason}"
            except BROKEN_CONNECTION as error:
                reason = _reason(error)
            tries += 1
            if self.part.num_bytes > before:
                tries, limit = 1, self.patience.tries
            if tries >= limit:
                raise _Unusable(f"{self.url}: {reason}")
            wait = self.patience.first_wait * 2 ** (tries - 1)
            time.sleep(min(wait, self.patience.longest_wait))

    def _receive(self) -> None:
        headers = {"User-Agent": "pocketdet", "Accept-Encoding": "identity"}
        headers |= self.part.resuming_headers(self.url)
        request = urllib.request.Request(self.url, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=self.patience.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if self._has_all(error.headers.get("Content-Range")):
                return
            self.part.discard()
            raise ConnectionError("the server's file is shorter than what had come") from error
        with response:
            start = _range_start(response.headers.get("Content-Range"))
            length = response.headers.get("Content-Length")
            if response.status != http.client.PARTIAL_CONTENT:
                start = 0
            if start not in (0, self.part.num_bytes):
                self.part.discard()
                raise ConnectionError("the server sent another part of the file")
            self.total = start + int(length) if length else self.archive.num_bytes
            self._compare_total(resumed=start > 0)
            with self.part.open_at(start, self.url, response.headers) as file:
                self._copy(response.read, file)
        if self.total is not None and self.part.num_bytes < self.total:
            raise ConnectionError("the connection ended before the file did")

    def _compare_total(self, *, resumed: bool) -> None:
        """Notice a wrong file before it is downloaded."""
        if self.archive.num_bytes in (None, self.total):
            return
        self.part.discard()
        reason = f"{self.total} bytes instead of {self.archive.num_bytes}"
        if resumed:  # perhaps the server counts otherwise: ask for the whole
            raise ConnectionError(reason)
        raise _Unusable(f"{self.url} gave a wrong file ({reason})")

    def _copy(self, read: Callable[[int], bytes], file: BinaryIO) -> None:
        doing = f"downloading {self.archive.file_name}"
        done = file.tell()
        self.tell(doing, done, self.total or 0)
        while chunk := read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            self.tell(doing, done, self.total or 0)

    def _has_all(self, content_range: str | None) -> bool:
        total = (content_range or "").rpartition("/")[2]
        return total.isdecimal() and 0 < int(total) == self.part.num_bytes

    def _fault(self) -> str:
        """Say what is wrong with the whole file, or nothing."""
        expected, found = self.archive.num_bytes, self.part.num_bytes
        if expected is not None and found != expected:
            return f"{found} bytes instead of {expected}"
        if self.archive.md5 is not None:
            md5 = _md5(self.part.path, self.archive.file_name, self.tell)
            if md5 != self.archive.md5:
                return f"its md5 is {md5} instead of {self.archive.md5}"
        return ""


def _md5(path: Path, name: str, tell: Progress) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(4 * CHUNK):
            digest.update(chunk)
            done += len(chunk)
            tell(f"checking {name}", done, total)
    return digest.hexdigest()


def _range_start(content_range: str | None) -> int:
    """Read the 5 in `bytes 5-9/10`; -1 if there is none."""
    first = (content_range or "").removeprefix("bytes ").partition("-")[0].strip()
    return int(first) if first.isdecimal() else -1


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner) or type(inner).__name__
