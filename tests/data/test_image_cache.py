from dataclasses import replace
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pocketdet.conventions import ImageFile, InputContract, Sample, UnreadableImage
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.augment.settings import NO_AUGMENT, PELEE_AUGMENT
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batches import TrainBatches
from pocketdet.data.loading.epoch_order import EpochOrder
from pocketdet.data.loading.image_cache import cached_images, stored_size

CONTRACT = InputContract(height=48, width=64)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Smooth pictures, so that how they were resized hardly shows."""
    made: list[Sample] = []
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate([(40, 50), (240, 320), (300, 150), (96, 128)]):
        small = rng.integers(0, 256, (5, 6, 3), np.uint8)
        pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        path = tmp_path / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), pixels)
        boxes = [[0, 0, width, height], [width / 4, height / 4, width / 2, height / 2]]
        made.append(Sample.of(ImageFile(path, height, width), boxes, [0, 1], image_id=str(number)))
    return made


def test_a_small_picture_is_stored_as_it_is(samples: list[Sample], tmp_path: Path) -> None:
    cache = cached_images(samples, CONTRACT, tmp_path / "cache")
    loaded = cache.load(samples[0])
    assert torch.equal(loaded.image, samples[0].image)
    assert torch.equal(loaded.boxes_xyxy, samples[0].boxes_xyxy)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((480, 640), (72, 96)), ((50, 60), (50, 60)), ((480, 96), (480, 96)), ((960, 640), (144, 96))],
)
def test_stored_pictures_keep_their_aspect_and_enough_pixels(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert stored_size(*size, CONTRACT, reach=1.5) == expected


def test_cached_and_decoded_samples_are_equal_up_to_the_resizing(
    samples: list[Sample], tmp_path: Path
) -> None:
    cache = cached_images(samples, CONTRACT, tmp_path / "cache")
    for settings in (NO_AUGMENT, replace(PELEE_AUGMENT, interpolations=(), crop_min_ious=())):
        augment = Augmentation(CONTRACT, Traits(), settings)
        for sample in samples:
            for seed in range(10):
                plain = augment(sample, np.random.default_rng(seed))
                cached = augment(cache.load(sample), np.random.default_rng(seed))
                difference = (plain.image.float() - cached.image.float()).abs()
                assert difference.mean() < 6
                assert torch.equal(plain.labels, cached.labels)
                torch.testing.assert_close(plain.boxes_xyxy, cached.boxes_xyxy, atol=1.0, rtol=0)


def test_boxes_fit_the_stored_picture(samples: list[Sample], tmp_path: Path) -> None:
    cache = cached_images(samples, CONTRACT, tmp_path / "cache")
    for sample in samples:
        loaded = cache.load(sample)
        height, width = loaded.size
        expected = torch.tensor(
            [[0, 0, width, height], [width / 4, height / 4, width / 2, height / 2]]
        )
        torch.testing.assert_close(loaded.boxes_xyxy, expected)


def test_a_cache_is_made_once(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cached_images(samples, CONTRACT, folder)
    told: list[int] = []
    again = cached_images(
        samples, CONTRACT, folder, progress=lambda doing, done, total: told.append(done)
    )
    assert told == []
    assert len(again.entries) == len(samples)
    assert len(list(folder.iterdir())) == 1


def test_a_changed_file_or_contract_makes_a_new_cache(
    samples: list[Sample], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    first = cached_images(samples, CONTRACT, folder)
    wider = cached_images(samples, replace(CONTRACT, width=80), folder)
    picture = samples[0].picture
    assert isinstance(picture, ImageFile)
    cv2.imwrite(str(picture.path), np.full((40, 50, 3), 7, np.uint8))
    os.utime(picture.path, (1, 1))
    changed = cached_images(samples, CONTRACT, folder)
    assert len({first.folder, wider.folder, changed.folder}) == 3
    assert (changed.load(samples[0]).image == 7).all()


def test_a_cache_that_fails_leaves_nothing_behind(samples: list[Sample], tmp_path: Path) -> None:
    picture = samples[2].picture
    assert isinstance(picture, ImageFile)
    picture.path.write_bytes(b"\xff\xd8\xff\xe0 damaged")
    with pytest.raises(UnreadableImage, match=r"2\.png"):
        cached_images(samples, CONTRACT, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_too_small_a_disk_is_said_before_anything_is_written(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage)
    with pytest.raises(OSError, match="image cache needs"):
        cached_images(samples, CONTRACT, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_not_in_the_cache_is_left_as_it_is(samples: list[Sample], tmp_path: Path) -> None:
    cache = cached_images(samples[:1], CONTRACT, tmp_path / "cache")
    in_memory = Sample.of(torch.zeros(3, 8, 8, dtype=torch.uint8), [], [])
    assert cache.load(samples[1]) is samples[1]
    assert cache.load(in_memory) is in_memory


def test_pictures_in_memory_only_make_an_empty_cache(tmp_path: Path) -> None:
    in_memory = Sample.of(torch.zeros(3, 8, 8, dtype=torch.uint8), [], [])
    cache = cached_images([in_memory], CONTRACT, tmp_path / "cache")
    assert cache.load(in_memory) is in_memory


def test_workers_share_the_file_and_writing_to_a_picture_never_reaches_it(
    samples: list[Sample], tmp_path: Path
) -> None:
    cache = cached_images(samples, CONTRACT, tmp_path / "cache")
    before = (cache.folder / "pixels.u8").read_bytes()
    augment = Augmentation(CONTRACT, Traits(), PELEE_AUGMENT)
    order = EpochOrder(num_samples=len(samples), batch_size=4, seed=0)
    alone = TrainBatches(samples, augment, order, cache=cache)
    helped = TrainBatches(samples, augment, order, cache=cache, num_workers=1)
    for first, second in zip(alone.epoch(0), helped.epoch(0), strict=True):
        assert torch.equal(first.images, second.images)
    cache.load(samples[0]).image.fill_(3)
    assert (cache.folder / "pixels.u8").read_bytes() == before
