import json
from pathlib import Path
from typing import Any

import pytest
from small_sets import write_image

from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.formats.coco_reader import read_coco

CATEGORIES = [{"id": 7, "name": "zebra"}, {"id": 3, "name": "ant"}]


def write_coco_json(path: Path, **parts: Any) -> None:
    content = {
        "images": [{"id": 5, "file_name": "x.jpg", "width": 64, "height": 48}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "bbox": [1, 2, 10, 20], "iscrowd": 1}
        ],
        "categories": CATEGORIES,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, **parts}))


LAYOUTS = {
    "coco": ("annotations/instances_train2017.json", "train2017/x.jpg", "train2017"),
    "coco below images": ("annotations/train.json", "images/train/x.jpg", "train"),
    "flat": ("train.json", "train/x.jpg", "train"),
    "flat with images": ("train.json", "train/images/x.jpg", "train"),
    "roboflow": ("train/_annotations.coco.json", "train/x.jpg", "train"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(layout: str, tmp_path: Path) -> None:
    json_file, image, split = LAYOUTS[layout]
    write_coco_json(tmp_path / json_file)
    write_image(tmp_path / image, seed=1)
    dataset = read_dataset(tmp_path)
    assert dataset.format == "coco"
    assert list(dataset.splits) == [split]
    [sample] = dataset.split("train")
    assert sample.image.shape == (3, 48, 64)
    assert sample.boxes_xyxy.tolist() == [[1, 2, 11, 22]]
    assert sample.crowd.tolist() == [True]


def test_category_ids_with_gaps_keep_the_file_s_order(tmp_path: Path) -> None:
    write_coco_json(tmp_path / "train.json")
    dataset = read_coco(tmp_path)
    assert dataset.classes.names == ("zebra", "ant")
    assert dataset.splits["train"][0].labels.tolist() == [1]


def test_an_image_without_a_size_is_measured(tmp_path: Path) -> None:
    write_coco_json(tmp_path / "train.json", images=[{"id": 5, "file_name": "x.png"}])
    write_image(tmp_path / "train" / "x.png", seed=1, height=20, width=30)
    assert read_coco(tmp_path).splits["train"][0].size == (20, 30)


def test_other_json_files_are_no_splits(tmp_path: Path) -> None:
    write_coco_json(tmp_path / "train.json")
    (tmp_path / "detections.json").write_text("[]")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert list(read_coco(tmp_path).splits) == ["train"]


@pytest.mark.parametrize("text", ["{", "[]", "", "[" * 100_000])
def test_a_folder_without_a_readable_file_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ValueError, match="no COCO file with images"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        3,
        {},
        {"image_id": 5},
        {"image_id": 5, "bbox": None},
        {"image_id": 5, "bbox": [1, 2, 3]},
        {"image_id": 99, "bbox": [1, 2, 3, 4]},
        {"image_id": [5], "bbox": [1, 2, 3, 4]},
    ],
)
def test_an_annotation_that_is_none_is_noted_and_left_out(entry: Any, tmp_path: Path) -> None:
    write_coco_json(tmp_path / "train.json", annotations=[entry])
    dataset = read_coco(tmp_path)
    assert [fault.kind.name for fault in dataset.faults] == ["malformed annotation"]
    assert len(dataset.splits["train"][0].labels) == 0


@pytest.mark.parametrize("value", [None, "x", [], True, 1e300, 10**400, float("nan")])
def test_a_coordinate_that_is_no_number_becomes_nan(value: Any, tmp_path: Path) -> None:
    box = {"id": 1, "image_id": 5, "category_id": 3, "bbox": [1, 2, value, 4]}
    write_coco_json(tmp_path / "train.json", annotations=[box])
    [sample] = read_coco(tmp_path).splits["train"]
    assert sample.boxes_xyxy.isnan().any()


def test_images_of_one_name_in_two_folders_have_two_ids(tmp_path: Path) -> None:
    images = [
        {"id": number, "file_name": name, "width": 64, "height": 48}
        for number, name in enumerate(["a/x.jpg", "b/x.jpg", "x.jpg", "x.png"])
    ]
    write_coco_json(tmp_path / "train.json", images=images, annotations=[])
    ids = [sample.image_id for sample in read_coco(tmp_path).splits["train"]]
    assert ids == ["a/x", "b/x", "x", "x.png"]
