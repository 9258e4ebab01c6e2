from pathlib import Path

import pytest
from small_sets import write_image

from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.formats.yolo_layout import label_file
from pocketdet.data.formats.yolo_line import box_xyxy_of
from pocketdet.data.formats.yolo_reader import read_yolo


def write_yolo_image(image: Path, label: str | None) -> None:
    write_image(image, seed=1)
    if label is not None:
        label_file(image).parent.mkdir(parents=True, exist_ok=True)
        label_file(image).write_text(label)


YAMLS = {
    "plain": "train: images/train\nnames: [ant, bee]\n",
    "with a path": "path: .\ntrain: images/train\nnames: [ant, bee]\n",
    "roboflow": "train: ../images/train\nnc: 2\nnames: ['ant', 'bee']\nroboflow: {version: 1}\n",
    "names by number": "train: ./images/train/\nnames:\n  1: bee\n  0: ant\n",
    "a list of folders": "train: [images/train]\nnames: [ant, bee]\n",
    "a list of images": "train: train.txt\nnames: [ant, bee]\n",
    "a path elsewhere": "path: /nowhere/at/all\ntrain: images/train\nnames: [ant, bee]\n",
}


@pytest.mark.parametrize("text", YAMLS.values(), ids=YAMLS.keys())
def test_every_way_to_write_data_yaml_is_read(text: str, tmp_path: Path) -> None:
    write_yolo_image(tmp_path / "images" / "train" / "x.jpg", "1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "train.txt").write_text("./images/train/x.jpg\n")
    (tmp_path / "data.yaml").write_text(text)
    dataset = read_dataset(tmp_path)
    assert dataset.format == "yolo"
    assert dataset.classes.names == ("ant", "bee")
    [sample] = dataset.splits["train"]
    assert sample.labels.tolist() == [1]
    assert sample.boxes_xyxy.tolist() == [[24, 12, 40, 36]]


def test_a_data_yaml_can_be_named_itself(tmp_path: Path) -> None:
    write_yolo_image(tmp_path / "train" / "images" / "x.jpg", "1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "data.yaml").write_text("train: ../train/images\nnames: [ant, bee]\n")
    assert len(read_dataset(tmp_path / "data.yaml").splits["train"]) == 1


def test_numbers_with_gaps_become_labels_without(tmp_path: Path) -> None:
    write_yolo_image(tmp_path / "images" / "x.jpg", "5 .5 .5 .1 .1\n2 .5 .5 .1 .1\n3 .5 .5 .1 .1\n")
    (tmp_path / "data.yaml").write_text("train: images\nnames: {2: ant, 5: bee}\n")
    dataset = read_yolo(tmp_path)
    assert dataset.splits["train"][0].labels.tolist() == [1, 0, -1]
    assert [fault.kind.name for fault in dataset.faults] == ["unknown class"]


def test_a_polygon_gives_the_box_around_it() -> None:
    words = [".1", ".2", ".5", ".1", ".3", ".8"]
    assert box_xyxy_of(words, height=10, width=100) == pytest.approx((10, 1, 50, 8))


@pytest.mark.parametrize("words", ["", "1", "1 2 3", "1 2 3 4 5", "1 2 3 4 5 6 7"])
def test_a_line_of_another_length_is_no_box(words: str) -> None:
    assert box_xyxy_of(words.split(), height=10, width=10) is None


def test_an_image_without_a_label_file_has_no_boxes(tmp_path: Path) -> None:
    write_yolo_image(tmp_path / "images" / "x.jpg", None)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [ant]\n")
    dataset = read_yolo(tmp_path)
    assert dataset.splits["train"][0].boxes_xyxy.shape == (0, 4)
    assert dataset.faults == ()


def test_a_split_whose_folder_is_missing_is_noted(tmp_path: Path) -> None:
    write_yolo_image(tmp_path / "images" / "x.jpg", None)
    (tmp_path / "data.yaml").write_text("train: images\nval: nowhere\nnames: [ant]\n")
    dataset = read_yolo(tmp_path)
    assert dataset.splits["val"] == []
    assert [(fault.kind.name, fault.split) for fault in dataset.faults] == [
        ("missing image", "val")
    ]


@pytest.mark.parametrize(
    "text", ["train: images\n", "names: []\ntrain: images\n", "a", "names: [ant]\n"]
)
def test_a_data_yaml_without_names_or_splits_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"data\.yaml"):
        read_yolo(tmp_path)


def test_the_last_folder_called_images_becomes_labels() -> None:
    image = Path("images") / "set" / "images" / "train" / "a.b.jpg"
    assert label_file(image) == Path("images") / "set" / "labels" / "train" / "a.b.txt"
