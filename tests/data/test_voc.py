from pathlib import Path

import pytest
from small_sets import assert_same_data, healthy, small_dataset, write_image

from pocketdet.data.dataset import Traits
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.formats.voc_reader import read_voc

OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>
<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"""


def write_voc_file(root: Path, stem: str, objects: list[dict[str, object]], size: str = "") -> None:
    (root / "Annotations").mkdir(parents=True, exist_ok=True)
    inside = "".join(OBJECT.format(**{"difficult": 0, **each}) for each in objects)
    (root / "Annotations" / f"{stem}.xml").write_text(
        f"<annotation><filename>{stem}.jpg</filename>{size}{inside}</annotation>"
    )
    if not (root / "JPEGImages" / f"{stem}.jpg").exists():
        write_image(root / "JPEGImages" / f"{stem}.jpg", seed=1)


def test_without_a_class_list_the_names_are_sorted_and_the_split_is_all(tmp_path: Path) -> None:
    write_voc_file(tmp_path, "b", [{"name": "mole", "box": (1, 2, 3, 4), "difficult": 1}])
    write_voc_file(tmp_path, "a", [{"name": "ant", "box": (1.5, 2.25, 3, 4)}])
    dataset = read_dataset(tmp_path)
    assert dataset.format == "voc"
    assert dataset.classes.names == ("ant", "mole")
    assert [sample.image_id for sample in dataset.splits["all"]] == ["a", "b"]
    first, second = dataset.splits["all"]
    assert first.boxes_xyxy.tolist() == [[1.5, 2.25, 3, 4]]
    assert second.difficult.tolist() == [True]


def test_a_missing_size_is_read_from_the_image(tmp_path: Path) -> None:
    write_voc_file(tmp_path, "a", [{"name": "ant", "box": (1, 2, 3, 4)}])
    zero = "<size><width>0</width><height>0</height></size>"
    write_voc_file(tmp_path, "b", [{"name": "ant", "box": (1, 2, 3, 4)}], size=zero)
    assert [sample.size for sample in read_voc(tmp_path).splits["all"]] == [(48, 64)] * 2


def test_pixels_that_count_from_one_are_moved_to_zero(tmp_path: Path) -> None:
    """VOC's 1 to 64 in an image 64 wide is all of it: 0 to 64."""
    write_voc_file(tmp_path, "a", [{"name": "ant", "box": (1, 1, 64, 48)}])
    (tmp_path / "pocketdet.yaml").write_text("first_pixel: 1\n")
    [sample] = read_voc(tmp_path).splits["all"]
    assert sample.boxes_xyxy.tolist() == [[0, 0, 64, 48]]


def test_lists_of_one_class_are_no_splits(tmp_path: Path) -> None:
    for stem in ("a", "b"):
        write_voc_file(tmp_path, stem, [{"name": "ant", "box": (1, 2, 3, 4)}])
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("b\na\n")
    (lists / "val.txt").write_text("")
    (lists / "ant_train.txt").write_text("a  1\nb -1\n")
    dataset = read_voc(tmp_path)
    assert list(dataset.splits) == ["train", "val"]
    assert [sample.image_id for sample in dataset.splits["train"]] == ["b", "a"]


@pytest.mark.parametrize("first_pixel", [0, 1])
def test_what_is_written_is_read_again(first_pixel: int, tmp_path: Path) -> None:
    traits = Traits(horizontal_flip=False, first_pixel=first_pixel)
    root = healthy(tmp_path, "voc", traits=traits)
    assert_same_data(small_dataset(tmp_path, traits=traits), read_voc(root), atol=1e-4)


def test_a_set_without_any_class_says_so(tmp_path: Path) -> None:
    write_voc_file(tmp_path, "a", [])
    with pytest.raises(ValueError, match="names no class"):
        read_voc(tmp_path)


def test_a_folder_one_too_high_is_pointed_out(tmp_path: Path) -> None:
    write_voc_file(tmp_path / "VOC2007", "a", [{"name": "ant", "box": (1, 2, 3, 4)}])
    with pytest.raises(ValueError, match=r"Did you mean .*VOC2007"):
        read_dataset(tmp_path)


def test_another_format_than_there_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="looks like `voc`"):
        read_dataset(healthy(tmp_path, "voc"), format="coco")
