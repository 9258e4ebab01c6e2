import hashlib
import os
from pathlib import Path
import subprocess
import sys
import time

import pytest

from pocketdet.data.cache_folder import cache_folder
from pocketdet.data.checking.check import check_dataset
from pocketdet.data.digits.builtin import BuiltinSettings, builtin_dataset
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.progress import silent

SMALL = BuiltinSettings(num_train=7, num_val=3, seed=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cache")
    return builtin_dataset(root=root, settings=SMALL, num_processes=1, progress=silent)


def bytes_by_name(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bytes_do_not_depend_on_the_number_of_processes(made: Path, tmp_path: Path) -> None:
    other = builtin_dataset(root=tmp_path, settings=SMALL, num_processes=3, progress=silent)
    assert other.name == made.name
    assert len(bytes_by_name(made)) == 10 + 10 + 2 + 1
    assert bytes_by_name(other) == bytes_by_name(made)


def test_the_ordinary_reader_reads_it(made: Path) -> None:
    dataset = read_dataset(made)
    assert dataset.format == "voc"
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 7, "val": 3}
    assert list(dataset.classes)[:2] == ["zero", "one"]
    assert len(dataset.classes) == 10
    assert not dataset.traits.horizontal_flip
    for sample in (*dataset.split("train"), *dataset.split("val")):
        assert tuple(sample.image.shape[1:]) == sample.size
        assert len(sample.labels) > 0
    errors = [problem for problem in check_dataset(dataset) if problem.kind.is_error]
    assert {problem.kind.name for problem in errors} <= {"unused class"}


def test_a_second_call_makes_nothing(made: Path) -> None:
    def refuse(doing: str, done: int, total: int) -> None:
        raise AssertionError("it was made again")

    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    again = builtin_dataset(root=made.parent, settings=SMALL, progress=refuse)
    assert again == made
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(doing: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builtin_dataset(root=tmp_path, settings=SMALL, num_processes=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_whoever_comes_second_takes_what_the_first_has_made(made: Path, tmp_path: Path) -> None:
    def another_process_is_faster(doing: str, done: int, total: int) -> None:
        if done == total:
            script = (
                "from pathlib import Path; from pocketdet.data.digits.builtin import *;"
                f"builtin_dataset(root=Path({str(tmp_path)!r}), settings={SMALL!r}, num_processes=1)"
            )
            subprocess.run([sys.executable, "-c", script], check=True)

    folder = builtin_dataset(
        root=tmp_path, settings=SMALL, num_processes=1, progress=another_process_is_faster
    )
    assert bytes_by_name(folder) == bytes_by_name(made)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    old = tmp_path / f".{SMALL.folder_name}.partial-1"
    young = tmp_path / f".{SMALL.folder_name}.partial-2"
    for folder in (old, young):
        folder.mkdir()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    builtin_dataset(root=tmp_path, settings=SMALL, num_processes=1, progress=silent)
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="set POCKETDET_CACHE to another folder"):
        builtin_dataset(root=tmp_path / "file", settings=SMALL, progress=silent)


def test_settings_name_the_folder_and_are_checked() -> None:
    assert BuiltinSettings(seed=1).folder_name != BuiltinSettings().folder_name
    with pytest.raises(ValueError, match="`num_val` must be at least 1; got 0"):
        BuiltinSettings(num_val=0)
    with pytest.raises(ValueError, match="`seed` must not be negative"):
        BuiltinSettings(seed=-1)


def test_the_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("POCKETDET_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("POCKETDET_CACHE")
    assert cache_folder() == tmp_path / "pocketdet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "pocketdet"
