"""Whatever happened to an annotation file, there is a list of faults or one clear error."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
import pytest
from small_sets import healthy

from pocketdet.data.checking.check import check_dataset
from pocketdet.data.dataset import FORMATS
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.repair import repair_dataset

FILES = {
    "voc": ["Annotations/a.xml", "ImageSets/Main/train.txt"],
    "coco": ["annotations/instances_train.json"],
    "yolo": ["labels/train/a.txt", "data.yaml"],
}
SPOILS = [
    b"",
    b"\0",
    b"\xff",
    b"-",
    b"9" * 30,
    b"nan",
    b"<a>",
    b'"',
    b"null",
    b"[",
    b"{}",
    b"\n",
    b"/",
]
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 8), st.sampled_from(SPOILS) | st.binary(max_size=4)),
    min_size=1,
    max_size=5,
)


def spoil(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, num_gone, new in edits:
        start = int(place * len(data))
        data = data[:start] + new + data[start + num_gone :]
    return data


@pytest.mark.parametrize(
    ("format", "name"), [(format, name) for format in FORMATS for name in FILES[format]]
)
def test_a_spoilt_file_is_never_a_traceback(format: str, name: str, tmp_path: Path) -> None:
    root = healthy(tmp_path, format)
    whole = (root / name).read_bytes()

    @settings(max_examples=60, deadline=None)
    @given(edits)
    @example([(0.0, 0, b'<?xml version="1.0" encoding="nonsense"?>')])
    @example([(0.0, 0, b'<?xml version="1.0" encoding="utf-16"?>')])
    def check(edits: list[tuple[float, int, bytes]]) -> None:
        (root / name).write_bytes(spoil(whole, edits))
        try:
            dataset = read_dataset(root, format=format)
        except ValueError:
            return
        check_dataset(dataset)
        repaired, summary = repair_dataset(dataset)
        assert str(summary)
        for samples in repaired.splits.values():
            assert all(sample.boxes_xyxy.isfinite().all() for sample in samples)

    check()
