from multiprocessing.reduction import ForkingPickler
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest
import torch

from pocketdet.conventions import ImageFile, InputContract, Sample, UnreadableImage
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.augment.settings import PELEE_AUGMENT
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batches import Batch, TrainBatches, eval_batches
from pocketdet.data.loading.epoch_order import Draw, EpochOrder, sample_rng
from pocketdet.data.loading.prefetch import prefetched

CONTRACT = InputContract(height=40, width=56)
AUGMENT = Augmentation(CONTRACT, Traits(), PELEE_AUGMENT)


def noise_sample(index: int) -> Sample:
    rng = np.random.default_rng(index)
    height, width = (int(side) for side in rng.integers(30, 90, size=2))
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    boxes = [[2, 3, width - 4, height - 5], [0, 0, 15, 20]]
    return Sample.of(
        torch.from_numpy(image).permute(2, 0, 1), boxes, [index, 99], image_id=f"noise{index}"
    )


SAMPLES = [noise_sample(index) for index in range(23)]


def train(
    *,
    samples: list[Sample] | None = None,
    batch_size: int = 8,
    seed: int = 3,
    rank: int = 0,
    world_size: int = 1,
    num_workers: int = 0,
) -> TrainBatches:
    samples = SAMPLES if samples is None else samples
    order = EpochOrder(
        num_samples=len(samples),
        batch_size=batch_size,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )
    return TrainBatches(samples, AUGMENT, order, num_workers=num_workers)


def assert_equal(first: Batch, second: Batch) -> None:
    assert first.indices == second.indices
    assert first.image_ids == second.image_ids
    assert first.counts == second.counts
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.packed_boxes_xyxy, second.packed_boxes_xyxy)
    assert torch.equal(first.packed_labels, second.packed_labels)


@pytest.mark.parametrize("num_workers", [1, 3])
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_change_nothing_and_go_on_over_epochs(num_workers: int) -> None:
    alone, helped = train(), train(num_workers=num_workers)
    for epoch in (0, 1, 5, 2):
        pairs = list(zip(alone.epoch(epoch), helped.epoch(epoch), strict=True))
        assert len(pairs) == len(alone) == 2
        for expected, got in pairs:
            assert_equal(expected, got)


def test_two_processes_share_the_batches_of_one() -> None:
    whole = list(train().epoch(4))
    parts = [list(train(rank=rank, world_size=2).epoch(4)) for rank in (0, 1)]
    assert len(parts[0]) == len(parts[1]) == len(whole)
    for expected, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(expected.images, torch.cat([first.images, second.images]))
        assert expected.indices == first.indices + second.indices
        assert torch.equal(
            expected.packed_boxes_xyxy,
            torch.cat([first.packed_boxes_xyxy, second.packed_boxes_xyxy]),
        )


def test_a_samples_draws_do_not_depend_on_the_batch_size() -> None:
    def pictures(batch_size: int) -> dict[int, torch.Tensor]:
        batches = train(batch_size=batch_size).epoch(1)
        return {
            index: image
            for batch in batches
            for index, image in zip(batch.indices, batch.images, strict=True)
        }

    by_four, by_one = pictures(4), pictures(1)
    assert set(by_four) < set(by_one)
    assert all(torch.equal(image, by_one[index]) for index, image in by_four.items())


def test_every_sample_comes_once_in_an_epoch_and_epochs_differ() -> None:
    loader = train(batch_size=1)
    first, second = list(loader.epoch(0)), list(loader.epoch(1))
    for batches in (first, second):
        assert sorted(batch.indices[0] for batch in batches) == list(range(len(SAMPLES)))
    assert [b.indices for b in first] != [b.indices for b in second]
    by_index = {batch.indices[0]: batch for batch in second}
    same = sum(torch.equal(b.images, by_index[b.indices[0]].images) for b in first)
    assert same == 0
    other_seed = list(train(batch_size=1, seed=4).epoch(0))
    assert [b.indices for b in first] != [b.indices for b in other_seed]


def test_no_two_samples_epochs_or_repeats_get_the_same_random_numbers() -> None:
    draws = [Draw(e, s, r) for e in range(6) for s in range(40) for r in range(2)]
    numbers = [
        tuple(sample_rng(seed, draw).integers(2**63, size=2)) for seed in (0, 1) for draw in draws
    ]
    assert len(set(numbers)) == len(numbers)


def test_fewer_samples_than_a_batch_are_repeated_with_other_draws() -> None:
    (batch,) = train(samples=SAMPLES[:3], batch_size=8).epoch(0)
    assert len(batch) == 8
    assert set(batch.indices) == {0, 1, 2}
    pictures = {bytes(image.numpy().tobytes()) for image in batch.images}
    assert len(pictures) == 8


def test_an_epoch_that_was_left_early_begins_anew() -> None:
    for num_workers in (0, 1):
        loader = train(num_workers=num_workers)
        expected = list(loader.epoch(0))
        next(iter(loader.epoch(0)))
        for again, batch in zip(loader.epoch(0), expected, strict=True):
            assert_equal(batch, again)


def test_two_epochs_at_once_are_refused_instead_of_mixed() -> None:
    loader = train(batch_size=4)
    first = loader.epoch(0)
    next(first)
    next(loader.epoch(1))
    with pytest.raises(RuntimeError, match="epoch 0 cannot go on"):
        next(first)


def test_loading_leaves_torchs_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    list(train().epoch(0))
    list(eval_batches(SAMPLES, CONTRACT, batch_size=4))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_is_uint8_channels_last_with_boxes_by_picture() -> None:
    (batch,) = eval_batches(SAMPLES[:5], CONTRACT, batch_size=8)
    assert batch.images.dtype == torch.uint8
    assert batch.images.shape == (5, 3, CONTRACT.height, CONTRACT.width)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert len(batch) == 5
    for place, sample in enumerate(SAMPLES[:5]):
        image, placement = CONTRACT.fit(sample.image)
        assert torch.equal(batch.images[place], image)
        assert torch.equal(batch.boxes_xyxy[place], placement.to_input(sample.boxes_xyxy))
        assert torch.equal(batch.labels[place], sample.labels)
        assert batch.placements[place] == placement
        back = batch.placements[place].to_image(batch.boxes_xyxy[place])
        torch.testing.assert_close(back, sample.boxes_xyxy, atol=1e-3, rtol=0)


def test_training_batches_have_no_way_back_and_the_same_layout() -> None:
    batch = next(iter(train().epoch(0)))
    assert batch.placements == []
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.packed_boxes_xyxy.dtype == torch.float32
    assert batch.packed_labels.dtype == torch.int64
    assert sum(batch.counts) == len(batch.packed_labels) == len(batch.packed_boxes_xyxy)


def test_difficult_and_crowd_boxes_are_not_learnt_from() -> None:
    sample = Sample.of(
        torch.zeros(3, 50, 50, dtype=torch.uint8),
        [[0, 0, 20, 20], [5, 5, 30, 30], [10, 10, 40, 40]],
        [4, 5, 6],
        difficult=[True, False, False],
        crowd=[False, False, True],
    )
    (batch,) = eval_batches([sample], CONTRACT, batch_size=1)
    assert batch.labels[0].tolist() == [5]
    assert len(batch.boxes_xyxy[0]) == 1


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_goes_through_all_in_order_again_and_again(num_workers: int) -> None:
    batches = eval_batches(SAMPLES, CONTRACT, batch_size=5, num_workers=num_workers)
    for _ in range(2):
        seen = list(batches)
        assert len(seen) == len(batches) == 5
        assert [index for batch in seen for index in batch.indices] == list(range(23))


def test_a_picture_without_boxes_makes_an_empty_row() -> None:
    empty = Sample.of(torch.zeros(3, 50, 50, dtype=torch.uint8), [], [])
    (batch,) = eval_batches([empty, SAMPLES[0]], CONTRACT, batch_size=2)
    assert batch.counts == (0, 2)
    assert batch.boxes_xyxy[0].shape == (0, 4)
    (only,) = train(samples=[empty], batch_size=2).epoch(0)
    assert only.packed_boxes_xyxy.shape == (0, 4)


def file_sample(path: Path) -> Sample:
    return Sample.of(ImageFile(path, 50, 60), [[1, 1, 20, 20]], [0], image_id=path.stem)


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xd8\xff\xe0 no more of it"])
def test_an_unreadable_image_is_named(
    tmp_path: Path, content: bytes | None, num_workers: int
) -> None:
    path = tmp_path / "broken one.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"broken one\.jpg"):
        list(train(samples=[file_sample(path)], batch_size=2, num_workers=num_workers).epoch(0))
    with pytest.raises(UnreadableImage, match=r"broken one\.jpg"):
        list(eval_batches([file_sample(path)], CONTRACT, batch_size=1, num_workers=num_workers))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_any_other_failure_names_the_image_too(num_workers: int) -> None:
    wrong = Sample.of(torch.zeros(3, 0, 0, dtype=torch.uint8), [], [], image_id="nothing.png")
    with pytest.raises(RuntimeError, match=r"nothing\.png could not be made into an input"):
        list(eval_batches([wrong], CONTRACT, batch_size=1, num_workers=num_workers))


def test_files_and_pictures_in_memory_give_the_same_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (50, 60, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[:, :, ::-1])
    on_disk = file_sample(tmp_path / "a.png")
    in_memory = Sample.of(
        torch.from_numpy(pixels).permute(2, 0, 1), on_disk.boxes_xyxy, [0], image_id="a"
    )
    (first,) = train(samples=[on_disk], batch_size=3).epoch(0)
    (second,) = train(samples=[in_memory], batch_size=3).epoch(0)
    assert_equal(first, second)


def test_samples_reach_a_spawned_worker_without_a_shared_file_for_each_tensor() -> None:
    items = train()._loader.dataset
    copy = pickle.loads(ForkingPickler.dumps(items))
    sample, index, _ = copy[Draw(0, 2)]
    expected, _, _ = items[Draw(0, 2)]
    assert index == 2
    assert torch.equal(sample.image, expected.image)


def test_batches_pass_through_to_a_device() -> None:
    expected = list(train().epoch(0))
    for batch, moved in zip(
        expected, prefetched(train().epoch(0), torch.device("cpu")), strict=True
    ):
        assert_equal(batch, moved)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_batches_reach_a_gpu_one_ahead_and_unchanged() -> None:
    device = torch.device("cuda")
    order = EpochOrder(num_samples=len(SAMPLES), batch_size=4, seed=3)
    pinned = TrainBatches(SAMPLES, AUGMENT, order, num_workers=1, pin=True)
    expected = TrainBatches(SAMPLES, AUGMENT, order)
    for batch, moved in zip(expected.epoch(0), prefetched(pinned.epoch(0), device), strict=True):
        assert moved.images.device.type == "cuda"
        assert moved.images.is_contiguous(memory_format=torch.channels_last)
        assert_equal(batch, moved.to("cpu"))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"batch_size": 7, "world_size": 2}, "`batch_size` must be a multiple of the 2"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"rank": 2, "world_size": 2}, "`rank`"),
        ({"seed": -1}, "`seed`"),
        ({"num_samples": 0}, "at least one sample"),
    ],
)
def test_an_impossible_order_is_refused(wrong: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        EpochOrder(**{"num_samples": 10, "batch_size": 4, "seed": 0, **wrong})


def test_an_order_for_other_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="23 samples; it is for 9"):
        TrainBatches(SAMPLES, AUGMENT, EpochOrder(num_samples=9, batch_size=4, seed=0))
