from dataclasses import replace

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from tiny_training import TINY, tiny_plan, tiny_settings
import torch

from pocketdet.conventions import ClassList, InputContract
from pocketdet.train.batch_pictures import GAP, BatchPictures, denormalise, draw_batch
from pocketdet.train.events import BatchSeen
from pocketdet.train.run_folder import RunFolder

CLASSES = ClassList.of(["bright", "dark"])


@settings(max_examples=20, deadline=None)
@given(order=st.sampled_from(["RGB", "BGR"]), seed=st.integers(0, 1000))
def test_denormalising_gives_back_the_picture(order, seed):
    contract = InputContract(
        height=8, width=9, channel_order=order, mean=(1.0, 50.0, 120.0), scale=(0.01, 0.02, 1.0)
    )
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2, 3, 8, 9), dtype=torch.uint8, generator=generator)
    assert torch.equal(denormalise(contract.normalize(images), contract), images)


def test_a_wrong_channel_order_would_be_visible():
    contract = InputContract(height=8, width=8)
    wrong = replace(contract, channel_order="RGB", mean=contract.mean[::-1])
    red = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    red[:, 0] = 200
    shown = denormalise(wrong.normalize(red), contract)
    assert int(shown[0, 2].float().mean()) > int(shown[0, 0].float().mean())


def first_batch():
    return next(iter(tiny_plan(tiny_settings()).batches.epoch(0)))


def test_boxes_are_drawn_where_the_batch_has_them():
    batch = first_batch()
    canvas = torch.zeros_like(batch.images)
    picture = draw_batch(canvas, batch, CLASSES)
    assert picture.shape == (2 * (64 + GAP) + GAP, 2 * (64 + GAP) + GAP, 3)
    first = picture[GAP : GAP + 64, GAP : GAP + 64]
    for box in batch.boxes_xyxy[0].tolist():
        left, top, right, bottom = (round(edge) for edge in box)
        assert first[top, left:right].any(axis=1).all()
        assert first[bottom - 1, left:right].any(axis=1).all()


def test_the_first_steps_are_written_and_no_later_one(tmp_path):
    folder, batch = RunFolder(tmp_path), first_batch()
    watch = BatchPictures(folder, TINY.input, CLASSES)
    images = TINY.input.normalize(batch.images)
    for step in range(6):
        watch(BatchSeen(step=step, images=images, batch=batch))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "batches-0.png",
        "batches-1.png",
        "batches-2.png",
    ]
    written = cv2.cvtColor(cv2.imread(str(folder.batch_picture(0))), cv2.COLOR_BGR2RGB)
    expected = draw_batch(batch.images, batch, CLASSES)
    assert written == pytest.approx(expected)
