from pathlib import Path
import tempfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest
from small_sets import assert_same_data, healthy, small_dataset, write_image
import torch

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.dataset import FORMATS, Dataset, Traits
from pocketdet.data.formats.any_format import read_dataset, write_dataset
from pocketdet.data.formats.convert import convert
from pocketdet.data.formats.losses import Losses

DIRECTIONS = [(source, target) for source in FORMATS for target in FORMATS if source != target]
SIZES = [(1, 1), (37, 53), (1200, 1600)]

names = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u2028"), min_size=1
)
coordinates = st.floats(-50, 4100, width=32)
boxes = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=4)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[ImageFile]:
    folder = tmp_path_factory.mktemp("pictures")
    return [
        ImageFile(
            write_image(folder / f"{height}.png", seed=height, height=height, width=width),
            height,
            width,
        )
        for height, width in SIZES
    ]


@pytest.mark.parametrize(("source", "target"), DIRECTIONS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_there_and_back_keeps_everything_to_a_hundredth_pixel(
    source: str, target: str, pictures: list[ImageFile], data: st.DataObject
) -> None:
    classes = ClassList.of(data.draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    traits = data.draw(
        st.builds(Traits, horizontal_flip=st.booleans(), first_pixel=st.sampled_from([0, 1]))
    )
    splits: dict[str, list[Sample]] = {}
    for split in data.draw(st.sets(st.sampled_from(["train", "val", "test", "extra"]), min_size=1)):
        splits[split] = []
        for number in range(data.draw(st.integers(0, 2))):
            rows = data.draw(boxes)
            label = st.integers(0, len(classes) - 1)
            labels = data.draw(st.lists(label, min_size=len(rows), max_size=len(rows)))
            picture = data.draw(st.sampled_from(pictures))
            splits[split].append(Sample.of(picture, rows, labels, image_id=f"{split} {number}"))
    splits = {name: splits[name] for name in ("train", "val", "test", "extra") if name in splits}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        given_set = Dataset(classes=classes, splits=splits, traits=traits, root=root, format="voc")
        write_dataset(given_set, root / "first", source)
        there = convert(root / "first", root / "there", to=target)
        convert(root / "there", root / "back", to=source)
        assert_same_data(given_set, read_dataset(root / "there", format=target))
        assert_same_data(given_set, read_dataset(root / "back", format=source))
        assert not there.losses


def test_bccd_comes_back_from_coco_and_yolo_as_it_was(bccd_dir: Path, tmp_path: Path) -> None:
    convert(bccd_dir, tmp_path / "coco", to="coco")
    convert(tmp_path / "coco", tmp_path / "yolo", to="yolo")
    convert(tmp_path / "yolo", tmp_path / "voc", to="voc")
    before, after = read_dataset(bccd_dir), read_dataset(tmp_path / "voc")
    assert after.format == "voc"
    assert list(after.splits) == ["train", "val", "trainval", "test"]
    assert len(list((tmp_path / "voc" / "JPEGImages").iterdir())) == 364
    assert after.classes == before.classes
    for split, samples in before.splits.items():
        others = {sample.image_id: sample for sample in after.splits[split]}
        assert others.keys() == {sample.image_id for sample in samples}
        for sample in samples:
            other = others[sample.image_id]
            assert torch.equal(other.labels, sample.labels)
            assert torch.allclose(other.boxes_xyxy, sample.boxes_xyxy, rtol=0, atol=0.01)


def test_aquarium_s_two_formats_say_the_same(aquarium_dir: Path) -> None:
    coco, yolo = (read_dataset(aquarium_dir, format=name) for name in ("coco", "yolo"))
    assert list(coco.splits) == list(yolo.splits) == ["train", "valid", "test"]
    assert coco.classes == yolo.classes
    for split, samples in coco.splits.items():
        others = {sample.image_id: sample for sample in yolo.splits[split]}
        for sample in samples:
            other = others[sample.image_id]
            order, other_order = (_order(one) for one in (sample, other))
            assert torch.equal(sample.labels[order], other.labels[other_order])
            assert torch.allclose(
                sample.boxes_xyxy[order], other.boxes_xyxy[other_order], rtol=0, atol=0.01
            )


def _order(sample: Sample) -> list[int]:
    rows = [
        (label, *(round(value, 1) for value in box))
        for label, box in zip(sample.labels.tolist(), sample.boxes_xyxy.tolist(), strict=True)
    ]
    return sorted(range(len(rows)), key=lambda place: rows[place])


@pytest.mark.parametrize("name", FORMATS)
def test_a_valid_split_keeps_its_name(name: str, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    renamed = Dataset(
        classes=dataset.classes,
        splits={"train": dataset.splits["train"], "valid": dataset.splits["val"]},
        traits=dataset.traits,
        root=dataset.root,
        format="voc",
    )
    write_dataset(renamed, tmp_path / "out", name)
    again = read_dataset(tmp_path / "out")
    assert list(again.splits) == ["train", "valid"]
    assert again.split("val") is again.split("validation") is again.splits["valid"]


def test_flags_that_a_format_cannot_hold_are_counted(tmp_path: Path) -> None:
    sample = small_dataset(tmp_path).splits["train"][0]
    flagged = Sample.of(
        sample.picture,
        sample.boxes_xyxy,
        sample.labels,
        image_id="a",
        difficult=[True, False],
        crowd=[False, True],
    )
    dataset = Dataset(
        classes=ClassList.of("ab"),
        splits={"train": [flagged]},
        traits=Traits(),
        root=tmp_path,
        format="voc",
    )
    losses = {name: write_dataset(dataset, tmp_path / name, name) for name in FORMATS}
    assert str(losses["voc"]).startswith("1 boxes are marked as crowds")
    assert str(losses["coco"]).startswith("1 boxes are marked difficult")
    assert len(losses["yolo"].counts) == 2
    kept = {name: read_dataset(tmp_path / name).splits["train"][0] for name in FORMATS}
    assert kept["voc"].difficult.tolist() == [True, True]
    assert kept["coco"].crowd.tolist() == [False, True]
    assert all(len(sample.labels) == 2 for sample in kept.values())


@pytest.mark.parametrize("name", FORMATS)
def test_what_no_file_can_hold_is_left_out_and_counted(name: str, tmp_path: Path) -> None:
    picture = ImageFile(write_image(tmp_path / "a.png", seed=0), 48, 64)
    missing = ImageFile(tmp_path / "missing.png", 48, 64)
    rows = [(0, 0, float("nan"), 5), (0, 0, 5, 5), (1, 1, 6, 6)]
    samples = [
        Sample.of(picture, rows, [0, 7, 0], image_id="a"),
        Sample.of(missing, [], [], image_id="missing"),
    ]
    dataset = Dataset(
        classes=ClassList.of("ab"),
        splits={"train": samples},
        traits=Traits(),
        root=tmp_path,
        format="voc",
    )
    losses = write_dataset(dataset, tmp_path / name, name)
    assert sorted(losses.counts.values()) == [1, 1, 1]
    assert isinstance(losses, Losses)
    [sample] = read_dataset(tmp_path / name).splits["train"]
    assert sample.boxes_xyxy.tolist() == [[1, 1, 6, 6]]


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_in_memory_are_written_as_png(name: str, tmp_path: Path) -> None:
    picture = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    dataset = Dataset(
        classes=ClassList.of("a"),
        splits={"train": [Sample.of(picture, [[1, 2, 3, 4]], [0], image_id="x/y")]},
        traits=Traits(),
        root=tmp_path,
        format="voc",
    )
    write_dataset(dataset, tmp_path / name, name)
    [sample] = read_dataset(tmp_path / name).splits["train"]
    assert torch.equal(sample.image, picture)


def test_equal_names_of_different_images_are_kept_apart_in_voc(tmp_path: Path) -> None:
    pictures = [
        ImageFile(write_image(tmp_path / f"{seed}" / "same.png", seed=seed), 48, 64)
        for seed in (1, 2)
    ]
    dataset = Dataset(
        classes=ClassList.of("a"),
        splits={
            split: [Sample.of(picture, [[0, 0, 5, 5]], [0], image_id="same")]
            for split, picture in zip(("train", "val"), pictures, strict=True)
        },
        traits=Traits(),
        root=tmp_path,
        format="voc",
    )
    write_dataset(dataset, tmp_path / "voc", "voc")
    again = read_dataset(tmp_path / "voc")
    for split, picture in zip(("train", "val"), pictures, strict=True):
        assert torch.equal(again.splits[split][0].image, picture.read())


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    root = healthy(tmp_path, "voc")
    before = sorted(path for path in root.rglob("*"))
    with pytest.raises(FileExistsError, match="exists already"):
        convert(root, root, to="coco")
    assert sorted(path for path in root.rglob("*")) == before
    assert not list(tmp_path.glob(".*"))


def test_a_failed_conversion_leaves_nothing_behind(tmp_path: Path) -> None:
    root = healthy(tmp_path, "voc")

    def stop(doing: str, done: int, total: int, /) -> None:
        if doing == "writing val":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(root, tmp_path / "out", to="coco", progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "voc"]


def test_an_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean `yolo`"):
        convert(tmp_path, tmp_path / "out", to="yolov8")
