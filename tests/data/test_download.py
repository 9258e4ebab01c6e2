from collections.abc import Iterator
from dataclasses import replace
import hashlib
import os
from pathlib import Path
import signal
import subprocess
import sys
import textwrap
import time

from file_server import Served, serve
import numpy as np
import pytest

from pocketdet.data.downloads.download import DownloadFailed, Patience, download
from pocketdet.data.downloads.sources import SOURCES, Archive, find_source

CONTENT = np.random.default_rng(0).bytes(1_000_000)
AT_ONCE = Patience(first_wait=0, timeout=5)


@pytest.fixture
def served() -> Iterator[Served]:
    with serve(Served({"set.zip": CONTENT})) as server:
        yield server


def archive_of(served: Served, content: bytes = CONTENT) -> Archive:
    return Archive(
        urls=(served.url("set.zip"),),
        file_name="set.zip",
        num_bytes=len(content),
        md5=hashlib.md5(content).hexdigest(),
    )


def without_checksum(served: Served) -> Archive:
    return replace(archive_of(served), md5=None, num_bytes=None)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_nothing_else_stays(served: Served, tmp_path: Path) -> None:
    path = download(archive_of(served), tmp_path / "new", patience=AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert names_in(tmp_path / "new") == ["set.zip"]


def test_a_file_that_is_there_is_not_asked_for(served: Served, tmp_path: Path) -> None:
    for _ in range(2):
        download(archive_of(served), tmp_path, patience=AT_ONCE)
    assert len(served.requests) == 1


def test_a_cut_connection_goes_on_at_the_very_byte(served: Served, tmp_path: Path) -> None:
    served.cut_after = [300_000, 250_000, 0, 0]
    path = download(archive_of(served), tmp_path, patience=AT_ONCE)
    assert path.read_bytes() == CONTENT
    assert served.asked_ranges == [None, "bytes=300000-"] + ["bytes=550000-"] * 3
    assert all(request["if-range"] == '"one"' for request in served.requests[1:])


def test_a_connection_that_brings_nothing_is_given_up(served: Served, tmp_path: Path) -> None:
    served.cut_after = [300_000] + [0] * 20
    with pytest.raises(DownloadFailed, match=r"300\.0 kB of it are kept.* goes on where it"):
        download(archive_of(served), tmp_path, patience=AT_ONCE)
    assert len(served.requests) == AT_ONCE.tries
    assert (tmp_path / "set.zip.part").read_bytes() == CONTENT[:300_000]
    assert not (tmp_path / "set.zip").exists()

    served.cut_after = []
    assert download(archive_of(served), tmp_path, patience=AT_ONCE).read_bytes() == CONTENT
    assert served.asked_ranges[-1] == "bytes=300000-"


def test_a_server_without_ranges_starts_over(served: Served, tmp_path: Path) -> None:
    served.ranges = False
    served.cut_after = [300_000]
    path = download(archive_of(served), tmp_path, patience=AT_ONCE)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['"two"', None])
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changed_in_between_is_not_mixed(
    served: Served, tmp_path: Path, *, etag: str | None, known: bool
) -> None:
    changed = np.random.default_rng(1).bytes(len(CONTENT))
    served.etag = '"one"' if etag else None
    served.cut_after = [300_000] + [0] * 20
    archive = archive_of(served, changed) if known else without_checksum(served)
    with pytest.raises(DownloadFailed):
        download(archive, tmp_path, patience=AT_ONCE)
    served.files["set.zip"], served.etag, served.cut_after = changed, etag, []
    assert download(archive, tmp_path, patience=AT_ONCE).read_bytes() == changed


def test_a_weak_etag_is_no_reason_to_resume(served: Served, tmp_path: Path) -> None:
    served.etag, served.cut_after = 'W/"one"', [300_000]
    download(without_checksum(served), tmp_path, patience=AT_ONCE)
    assert served.asked_ranges == [None, None]


def test_everything_had_come_before_the_process_died(served: Served, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert download(archive_of(served), tmp_path, patience=AT_ONCE).read_bytes() == CONTENT
    assert served.asked_ranges == ["bytes=1000000-"]


def test_more_had_come_than_there_is(served: Served, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    assert download(archive_of(served), tmp_path, patience=AT_ONCE).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing_that_could_be_taken_for_the_file(
    served: Served, tmp_path: Path
) -> None:
    archive = replace(archive_of(served), md5="0" * 32)
    with pytest.raises(DownloadFailed, match=f"md5 is .* instead of {'0' * 32}"):
        download(archive, tmp_path, patience=AT_ONCE)
    assert names_in(tmp_path) == []


def test_a_wrong_size_is_noticed_before_the_file_is_downloaded(
    served: Served, tmp_path: Path
) -> None:
    archive = replace(archive_of(served), num_bytes=5)
    seen: list[int] = []
    with pytest.raises(DownloadFailed, match="1000000 bytes instead of 5"):
        download(
            archive,
            tmp_path,
            patience=AT_ONCE,
            progress=lambda doing, done, total: seen.append(done),
        )
    assert seen == []
    assert names_in(tmp_path) == []


def test_a_busy_server_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.statuses = [503]
    assert download(archive_of(served), tmp_path, patience=AT_ONCE).read_bytes() == CONTENT


def test_a_missing_file_is_not_asked_for_again(served: Served, tmp_path: Path) -> None:
    archive = replace(archive_of(served), urls=(served.url("other.zip"),))
    with pytest.raises(DownloadFailed, match="answers 404 Not Found"):
        download(archive, tmp_path, patience=AT_ONCE)
    assert len(served.requests) == 1


def test_another_address_goes_on_where_the_first_broke_off(served: Served, tmp_path: Path) -> None:
    served.cut_after = [300_000] + [0] * 4
    archive = archive_of(served)
    archive = replace(archive, urls=(*archive.urls, f"{served.url('set.zip')}?mirror"))
    served.files["set.zip?mirror"] = CONTENT
    assert download(archive, tmp_path, patience=AT_ONCE).read_bytes() == CONTENT
    assert served.requests[-1]["range"] == "bytes=300000-"
    assert "if-range" not in served.requests[-1]


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with serve(Served({})) as gone:
        archive = archive_of(gone)
    with pytest.raises(DownloadFailed) as failure:
        download(archive, tmp_path, patience=AT_ONCE)
    assert "Connection refused" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert names_in(tmp_path) == []


def test_progress_ends_at_the_size_of_the_file(served: Served, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    served.cut_after = [300_000]
    download(
        archive_of(served),
        tmp_path,
        patience=AT_ONCE,
        progress=lambda *call: calls.append(call),
    )
    received = [call for call in calls if call[0] == "downloading set.zip"]
    assert received[-1][1:] == (len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in received] == sorted(done for _, done, _ in received)


def test_a_killed_process_loses_little(served: Served, tmp_path: Path) -> None:
    served.pause = 0.01
    archive = archive_of(served)
    script = textwrap.dedent(f"""
        from pathlib import Path
        from pocketdet.data.downloads.download import download
        from pocketdet.data.downloads.sources import Archive
        archive = Archive(urls={archive.urls!r}, file_name="set.zip", md5={archive.md5!r})
        download(archive, Path({str(tmp_path)!r}))
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    part = tmp_path / "set.zip.part"
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = part.stat().st_size
    assert 0 < kept < len(CONTENT)

    served.pause = 0
    assert download(archive, tmp_path, patience=AT_ONCE).read_bytes() == CONTENT
    assert served.asked_ranges == [None, f"bytes={kept}-"]


def test_an_unknown_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"`voc207` is no data set.* mean `voc2007`\?"):
        find_source("voc207")


def test_every_source_is_complete() -> None:
    assert [source.name for source in SOURCES] == ["bccd", "voc2007", "voc2012", "coco2017"]
    for source in SOURCES:
        assert source.num_files
        for archive in source.archives:
            assert archive.file_name.endswith((".zip", ".tar"))
            assert archive.md5 is None or len(archive.md5) == 32
            assert all(url.startswith(("http://", "https://")) for url in archive.urls)
