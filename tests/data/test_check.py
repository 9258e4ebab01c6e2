"""Every fault is planted in a healthy set, in each format that can have it, and must be found."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

from PIL import Image
import pytest
from small_sets import healthy, write_image
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.data.checking.check import find_problems
from pocketdet.data.dataset import FORMATS
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.problem import PROBLEM_KINDS
from pocketdet.data.repair import repair_dataset

IMAGE_A = {"voc": "JPEGImages/a.jpg", "coco": "train/a.jpg", "yolo": "images/train/a.jpg"}
IMAGE_B = {name: path.replace("a.jpg", "b.jpg") for name, path in IMAGE_A.items()}
IMAGE_D = {"voc": "JPEGImages/d.jpg", "coco": "val/d.jpg", "yolo": "images/val/d.jpg"}


def replace_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, text
    file.write_text(text.replace(old, new, 1))


def edit_json(root: Path, edit: Callable[[Any], None], split: str = "train") -> None:
    file = root / "annotations" / f"instances_{split}.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def set_first_box(root: Path, format: str, box: tuple[Any, Any, Any, Any]) -> None:
    """Give the first box of image `a` (48 x 64) other corners."""
    if format == "voc":
        file = root / "Annotations" / "a.xml"
        sides = ("xmin", "ymin", "xmax", "ymax")
        for side, old, new in zip(sides, (4, 5, 20, 25), box, strict=True):
            replace_text(file, f"<{side}>{old}</{side}>", f"<{side}>{new}</{side}>")
        return
    x1, y1, x2, y2 = (float(value) for value in box)
    if format == "coco":
        values = [x1, y1, x2 - x1, y2 - y1]
        edit_json(root, lambda content: content["annotations"][0].update(bbox=values))
    else:
        file = root / "labels" / "train" / "a.txt"
        values = [(x1 + x2) / 128, (y1 + y2) / 96, (x2 - x1) / 64, (y2 - y1) / 48]
        lines = file.read_text().splitlines()
        lines[0] = f"0 {' '.join(str(value) for value in values)}"
        file.write_text("\n".join(lines))


def plant_box(box: tuple[Any, Any, Any, Any]) -> Callable[[Path, str], None]:
    return lambda root, format: set_first_box(root, format, box)


def plant_unknown_class(root: Path, format: str) -> None:
    if format == "voc":
        replace_text(root / "Annotations" / "a.xml", "<name>ant<", "<name>aunt<")
    elif format == "coco":
        edit_json(root, lambda content: content["annotations"][0].update(category_id=99))
    else:
        file = root / "labels" / "train" / "a.txt"
        file.write_text(file.read_text() + "3 .5 .5 .1 .1\n")


def plant_unused_class(root: Path, format: str) -> None:
    if format == "voc":
        replace_text(root / "pocketdet.yaml", "- mole", "- mole\n- unicorn")
    elif format == "coco":
        for split in ("train", "val"):
            edit_json(
                root,
                lambda content: content["categories"].append({"id": 9, "name": "unicorn"}),
                split,
            )
    else:
        replace_text(root / "data.yaml", "- mole", "- mole\n- unicorn")


def plant_missing_image(root: Path, format: str) -> None:
    (root / IMAGE_A[format]).unlink()


def plant_truncated_image(root: Path, format: str) -> None:
    path = root / IMAGE_A[format]
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def plant_exif(root: Path, format: str) -> None:
    path = root / IMAGE_A[format]
    image = Image.open(path)
    image.load()
    exif = Image.Exif()
    exif[0x0112] = 6
    path.unlink()
    image.save(path, exif=exif)


def plant_duplicate_box(root: Path, format: str) -> None:
    if format == "voc":
        file = root / "Annotations" / "b.xml"
        text = file.read_text()
        inside = text[text.index("<object>") : text.index("</object>") + len("</object>")]
        file.write_text(text.replace("</annotation>", inside + "</annotation>"))
    elif format == "coco":
        edit_json(
            root,
            lambda content: content["annotations"].append(
                {**content["annotations"][0], "id": 1000}
            ),
        )
    else:
        file = root / "labels" / "train" / "b.txt"
        file.write_text(file.read_text() * 2)


def plant_copy(places: dict[str, str]) -> Callable[[Path, str], None]:
    def plant(root: Path, format: str) -> None:
        target = root / places[format]
        target.unlink()
        shutil.copy(root / IMAGE_A[format], target)

    return plant


def plant_wrong_size(root: Path, format: str) -> None:
    path = root / IMAGE_A[format]
    path.unlink()
    write_image(path, seed=1, height=100, width=64)


def plant_malformed(root: Path, format: str) -> None:
    if format == "voc":
        (root / "Annotations" / "a.xml").write_text("<annotation><object>")
    elif format == "coco":
        edit_json(root, lambda content: content["annotations"].append({"bbox": [1, 2]}))
    else:
        file = root / "labels" / "train" / "a.txt"
        file.write_text(file.read_text() + "0 .5 .5 .1\n")


def plant_no_box(root: Path, format: str) -> None:
    if format == "voc":
        (root / "Annotations" / "a.xml").write_text(
            "<annotation><size><width>64</width><height>48</height></size></annotation>"
        )
    elif format == "coco":
        write_image(root / "train" / "empty.png", seed=5)
        image = {"id": 77, "file_name": "empty.png", "width": 64, "height": 48}
        edit_json(root, lambda content: content["images"].append(image))
    else:
        (root / "labels" / "train" / "a.txt").unlink()


def plant_colliding_ids(root: Path, format: str) -> None:
    if format == "voc":
        write_image(root / "JPEGImages" / "a.png", seed=9)
    else:
        edit_json(root, lambda content: content["annotations"][1].update(id=1))


def plant_colliding_image_ids(root: Path, format: str) -> None:
    edit_json(root, lambda content: content["images"].append({**content["images"][0]}))


def plant_missing_annotation(root: Path, format: str) -> None:
    (root / "Annotations" / "a.xml").unlink()


def plant_other_category_ids(root: Path, format: str) -> None:
    def swap(content: Any) -> None:
        for category in content["categories"]:
            category["id"] = {1: 2, 2: 1}.get(category["id"], category["id"])

    edit_json(root, swap, "val")


ALL = FORMATS
PLANTED: list[tuple[str, Callable[[Path, str], None], tuple[str, ...]]] = [
    ("zero area", plant_box((4, 5, 4, 25)), ALL),
    ("negative area", plant_box((20, 5, 4, 25)), ALL),
    ("swapped corners", plant_box((20, 25, 4, 5)), ALL),
    ("partly outside", plant_box((-3, 5, 20, 25)), ALL),
    ("wholly outside", plant_box((70, 5, 90, 25)), ALL),
    ("not a number", plant_box((4, "nan", 20, 25)), ALL),
    ("not a number", plant_box((4, "twelve", 20, 25)), ("voc",)),
    ("not a number", plant_box((4, "inf", 20, 25)), ALL),
    ("unknown class", plant_unknown_class, ALL),
    ("unused class", plant_unused_class, ALL),
    ("missing image", plant_missing_image, ALL),
    ("damaged image", plant_truncated_image, ALL),
    ("EXIF rotation", plant_exif, ALL),
    ("duplicate box", plant_duplicate_box, ALL),
    ("duplicate image", plant_copy(IMAGE_B), ALL),
    ("same image in two splits", plant_copy(IMAGE_D), ALL),
    ("wrong image size", plant_wrong_size, ("voc", "coco")),
    ("malformed annotation", plant_malformed, ALL),
    ("image without a box", plant_no_box, ALL),
    ("colliding ids", plant_colliding_ids, ("voc", "coco")),
    ("colliding ids", plant_colliding_image_ids, ("coco",)),
    ("missing annotation", plant_missing_annotation, ("voc",)),
    ("category ids differ", plant_other_category_ids, ("coco",)),
]
CASES = [
    pytest.param(kind, plant, format, id=f"{format}-{number}-{kind}".replace(" ", "-"))
    for number, (kind, plant, formats) in enumerate(PLANTED)
    for format in formats
]


def test_every_kind_is_planted() -> None:
    assert {kind for kind, _, _ in PLANTED} == {kind.name for kind in PROBLEM_KINDS}


@pytest.mark.parametrize("format", FORMATS)
def test_the_healthy_twin_is_clear(format: str, tmp_path: Path) -> None:
    assert find_problems(healthy(tmp_path, format)) == []


@pytest.mark.parametrize(("kind", "plant", "format"), CASES)
def test_a_planted_fault_is_found_alone_and_training_goes_on(
    kind: str, plant: Callable[[Path, str], None], format: str, tmp_path: Path
) -> None:
    root = healthy(tmp_path, format)
    plant(root, format)
    assert {problem.kind.name for problem in find_problems(root)} == {kind}
    repaired, _ = repair_dataset(read_dataset(root))
    for sample in (sample for samples in repaired.splits.values() for sample in samples):
        height, width = sample.image.shape[1:]
        x1, y1, x2, y2 = sample.boxes_xyxy.unbind(dim=1)
        assert ((x1 >= 0) & (y1 >= 0) & (x2 > x1) & (y2 > y1)).all()
        assert ((x2 <= width) & (y2 <= height)).all()
        assert ((sample.labels >= 0) & (sample.labels < len(repaired.classes))).all()


def test_a_union_of_splits_shares_its_images_by_design(bccd_dir: Path) -> None:
    problems = find_problems(bccd_dir)
    assert [(problem.kind.name, problem.split, problem.file.stem) for problem in problems] == [
        ("zero area", "train", "BloodImage_00343"),
        ("zero area", "val", "BloodImage_00338"),
    ]


def test_aquarium_has_two_degenerate_boxes_and_an_image_without_any(aquarium_dir: Path) -> None:
    for format in ("coco", "yolo"):
        kinds = [problem.kind.name for problem in find_problems(aquarium_dir, format=format)]
        assert kinds == ["zero area", "zero area", "image without a box"]


def test_the_command_lists_the_faults_and_answers_1(tmp_path: Path) -> None:
    root = healthy(tmp_path, "voc")
    clear = CliRunner().invoke(app, ["data", "check", str(root)])
    assert clear.exit_code == 0
    assert "Nothing is wrong" in clear.stdout
    set_first_box(root, "voc", (4, 5, 4, 25))
    found = CliRunner().invoke(app, ["data", "check", str(root)])
    assert found.exit_code == 1
    assert "JPEGImages/a.jpg box 0: (4, 5) to (4, 25) in 64x48" in found.stdout
    assert "leaves the box out" in found.stdout


def test_json_is_one_document_with_every_fault(tmp_path: Path) -> None:
    root = healthy(tmp_path, "coco")
    set_first_box(root, "coco", (4, 5, 4, 25))
    result = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["ok"] is False
    assert document["splits"] == {
        "train": {"images": 3, "boxes": 4},
        "val": {"images": 2, "boxes": 3},
    }
    [problem] = document["problems"]
    assert (problem["kind"], problem["severity"], problem["count"]) == ("zero area", "error", 1)
    assert problem["places"][0]["file"] == "train/a.jpg"


def test_a_note_alone_answers_0(tmp_path: Path) -> None:
    root = healthy(tmp_path, "voc")
    plant_no_box(root, "voc")
    assert CliRunner().invoke(app, ["data", "check", str(root)]).exit_code == 0


def test_convert_tells_what_it_wrote(tmp_path: Path) -> None:
    root = healthy(tmp_path, "voc")
    command = ["data", "convert", str(root), str(tmp_path / "new"), "--to", "yolo"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "train: 3 images, 4 boxes" in result.stdout
    assert "Nothing was lost." in result.stdout
