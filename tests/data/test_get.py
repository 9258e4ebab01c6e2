from collections.abc import Iterator
from dataclasses import replace
import io
import json
from pathlib import Path
import shutil
import tarfile
import zipfile

import cv2
from file_server import Served, serve
import numpy as np
import pytest
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.data.dataset import Traits
from pocketdet.data.downloads import get as get_module
from pocketdet.data.downloads import sources
from pocketdet.data.downloads.download import DownloadFailed, Patience
from pocketdet.data.downloads.get import get_dataset
from pocketdet.data.downloads.sources import COCO2017, VOC2007, Archive, Source
from pocketdet.data.downloads.unpack import DamagedArchive, UnsafeArchive, unpack
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.formats.data_card import read_data_card

AT_ONCE = Patience(first_wait=0, timeout=5)
JPEG = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
XML = b"""<annotation><size><width>30</width><height>20</height></size><object>
<name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>20</ymax></bndbox>
</object></annotation>"""


def voc_files(split: str, stem: str) -> dict[str, bytes]:
    folder = "VOCdevkit/VOC2007"
    return {
        f"{folder}/Annotations/{stem}.xml": XML,
        f"{folder}/JPEGImages/{stem}.jpg": JPEG,
        f"{folder}/ImageSets/Main/{split}.txt": f"{stem}\n".encode(),
        f"{folder}/ImageSets/Main/dog_{split}.txt": f"{stem}  1\n".encode(),
        "VOCdevkit/readme.txt": b"of no use",
    }


def tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def served() -> Iterator[Served]:
    files = {
        "trainval.tar": tar_of(voc_files("trainval", "000005")),
        "test.tar": tar_of(voc_files("test", "000001")),
    }
    with serve(Served(files)) as server:
        yield server


@pytest.fixture
def source(served: Served) -> Source:
    archives = (archive_at(served, "trainval.tar"), archive_at(served, "test.tar"))
    return replace(VOC2007, archives=archives, num_files={"Annotations": 2, "JPEGImages": 2})


def archive_at(served: Served, name: str) -> Archive:
    return Archive(urls=(served.url(name),), file_name=name)


def get(source: Source, folder: Path) -> get_module.Fetched:
    return get_dataset(source, folder, patience=AT_ONCE)


def test_voc2007_becomes_one_folder_that_the_reader_reads(source: Source, tmp_path: Path) -> None:
    get(source, tmp_path / "voc")
    dataset = read_dataset(tmp_path / "voc")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "trainval": 1,
        "test": 1,
    }
    assert dataset.traits == Traits(first_pixel=1)
    assert dataset.split("test")[0].boxes_xyxy.tolist() == [[0, 0, 30, 20]]
    assert [path.name for path in tmp_path.iterdir()] == ["voc"]
    assert not (tmp_path / "voc" / "readme.txt").exists()


def test_coco_becomes_a_folder_that_the_reader_reads(tmp_path: Path) -> None:
    ground_truth = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 30, "height": 20}],
        "categories": [{"id": 7, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}],
    }
    annotations = json.dumps(ground_truth).encode()
    files = {
        "annotations.zip": zip_of(
            {
                "annotations/instances_val2017.json": annotations,
                "annotations/captions_val2017.json": b"{}",
            }
        ),
        "val2017.zip": zip_of({"val2017/1.jpg": JPEG}),
    }
    with serve(Served(files)) as served:
        archives = tuple(archive_at(served, name) for name in files)
        coco = replace(COCO2017, archives=archives, num_files={"annotations": 2, "val2017": 1})
        fetched = get(coco, tmp_path / "coco")
    assert fetched.checks[0] == "annotations.zip: the zip's own checksums, numbers of files"
    dataset = read_dataset(tmp_path / "coco")
    assert list(dataset.classes) == ["dog"]
    (sample,) = dataset.split("val2017")
    assert sample.boxes_xyxy.tolist() == [[1, 2, 4, 6]]
    assert sample.image.shape == (3, 20, 30)
    assert read_data_card(tmp_path / "coco").traits == Traits()


def test_a_set_that_is_there_is_left_alone(source: Source, served: Served, tmp_path: Path) -> None:
    assert not get(source, tmp_path / "voc").was_there
    assert get(source, tmp_path / "voc").was_there
    assert len(served.requests) == 2


def test_a_folder_with_something_else_is_refused_and_left_alone(
    source: Source, served: Served, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="Name a new or empty folder"):
        get(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert served.requests == []


def test_the_first_archive_is_not_downloaded_again_when_the_second_failed(
    source: Source, served: Served, tmp_path: Path
) -> None:
    served.statuses = [0, 404]
    with pytest.raises(DownloadFailed):
        get(source, tmp_path / "voc")
    assert not (tmp_path / "voc").exists()
    get(source, tmp_path / "voc")
    assert len(served.requests) == 3


def test_an_archive_with_a_file_too_few_makes_no_data_set(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Annotations has 2 files instead of 3"):
        get(replace(source, num_files={"Annotations": 3}), tmp_path / "voc")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_makes_no_data_set_and_is_fetched_anew(
    source: Source, served: Served, tmp_path: Path
) -> None:
    whole = served.files["test.tar"]
    served.files["test.tar"] = b"<html>Please log in</html>"
    with pytest.raises(DamagedArchive, match=r"test\.tar is damaged"):
        get(source, tmp_path / "voc")
    assert list(tmp_path.iterdir()) == []
    served.files["test.tar"] = whole
    assert not get(source, tmp_path / "voc").was_there


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    packed = bytearray(zip_of({"a.txt": b"x" * 1000}))
    packed[500] ^= 1
    (tmp_path / "a.zip").write_bytes(packed)
    with pytest.raises(DamagedArchive, match="Bad CRC-32"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\evil", "C:evil"])
def test_a_path_that_leads_elsewhere_is_refused(pack: object, name: str, tmp_path: Path) -> None:
    assert callable(pack)
    archive = tmp_path / "inner" / "a.archive"
    archive.parent.mkdir()
    archive.write_bytes(pack({name: b"evil"}))
    with pytest.raises(UnsafeArchive, match="outside its folder"):
        unpack(archive, tmp_path / "inner" / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "a.archive"]


def test_links_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("a")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(link)
    info = zipfile.ZipInfo("a")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(info, "/etc")
    for name in ("a.tar", "a.zip"):
        with pytest.raises(UnsafeArchive, match="holds a link"):
            unpack(tmp_path / name, tmp_path / "out")


def test_too_small_a_disk_is_said_before_anything_is_downloaded(
    source: Source, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil._ntuple_diskusage(100, 95, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    large = tuple(replace(archive, num_bytes=10**9) for archive in source.archives)
    with pytest.raises(OSError, match=r"needs 4\.0 GB .* has 5 bytes free"):
        get(replace(source, archives=large), tmp_path / "new" / "voc")
    assert served.requests == []


def test_the_command_says_where_the_set_is(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES", (source,))
    folder = tmp_path / "voc"
    first = CliRunner().invoke(app, ["data", "get", "voc2007", str(folder)])
    assert first.exit_code == 0
    assert f"voc2007 is in {folder}." in first.stdout
    assert "pocketdet data check" in first.stdout
    again = CliRunner().invoke(app, ["data", "get", "voc2007", str(folder), "--json"])
    assert json.loads(again.stdout)["was_there"] is True
