"""The confusion matrix counts each box and each sure detection once."""

import numpy as np
import pytest
import torch

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.confusion import confusion_matrix, draw_confusion

CLASSES = ClassList.of(["a", "b", "c"])
A, B, C, BACKGROUND = range(4)
PICTURE = torch.zeros(3, 100, 100, dtype=torch.uint8)


def detections(*rows: tuple[list[float], float, int]) -> Detections:
    return Detections(
        boxes_xyxy=torch.tensor([box for box, _, _ in rows]).reshape(-1, 4),
        scores=torch.tensor([score for _, score, _ in rows]),
        labels=torch.tensor([label for _, _, label in rows], dtype=torch.int64),
    )


def counted(found: Detections, sample: Sample) -> dict[tuple[int, int], int]:
    counts = confusion_matrix([found], [sample], CLASSES)
    return {(int(r), int(c)): int(counts[r, c]) for r, c in np.argwhere(counts)}


LEFT, RIGHT = [0.0, 0.0, 20.0, 20.0], [50.0, 50.0, 80.0, 80.0]


def test_right_wrong_missed_and_invented_go_to_their_places() -> None:
    sample = Sample.of(PICTURE, [LEFT, RIGHT, [0, 80, 10, 90]], [A, B, C])
    found = detections((LEFT, 0.9, A), (RIGHT, 0.8, C), ([90.0, 0, 99, 9], 0.7, B))
    assert counted(found, sample) == {(A, A): 1, (B, C): 1, (C, BACKGROUND): 1, (BACKGROUND, B): 1}


def test_the_right_class_takes_the_box_from_a_closer_wrong_one() -> None:
    sample = Sample.of(PICTURE, [LEFT], [A])
    found = detections((LEFT, 0.9, B), ([0.0, 0.0, 20.0, 15.0], 0.5, A))
    assert counted(found, sample) == {(A, A): 1, (BACKGROUND, B): 1}


def test_low_scores_and_difficult_boxes_do_not_count() -> None:
    sample = Sample.of(PICTURE, [LEFT, RIGHT], [A, B], difficult=[True, False])
    assert counted(detections((LEFT, 0.9, A), (RIGHT, 0.2, B)), sample) == {(B, BACKGROUND): 1}


@pytest.mark.parametrize("seed", range(5))
def test_each_box_stands_in_its_row_once_and_each_detection_in_its_column(seed: int) -> None:
    torch.manual_seed(seed)
    low = torch.rand(30, 2) * 40
    boxes = torch.cat([low, low + 25], dim=1)
    sample = Sample.of(PICTURE, boxes[:12], torch.randint(0, 3, (12,)))
    found = Detections(
        boxes_xyxy=boxes[12:], scores=torch.rand(18), labels=torch.randint(0, 3, (18,))
    )
    counts = confusion_matrix([found], [sample], CLASSES, score=0.25, iou_threshold=0.5)
    assert counts[:3].sum(axis=1).tolist() == sample.labels.bincount(minlength=3).tolist()
    sure = found.above(0.25).labels.bincount(minlength=3)
    assert counts[:, :3].sum(axis=0).tolist() == sure.tolist()


def test_it_is_drawn_with_all_class_names() -> None:
    figure = draw_confusion(np.arange(16).reshape(4, 4), CLASSES)
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert names == ["a", "b", "c", "background"]
