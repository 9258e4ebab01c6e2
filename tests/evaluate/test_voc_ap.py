"""VOC's average precision agrees with reference values and with the kit's rules written plainly."""

import math
from pathlib import Path

import pytest
import torch

from pocketdet.conventions import (
    ClassList,
    Detections,
    ImageFile,
    Sample,
    pairwise_iou,
    xywh_to_xyxy,
)
from pocketdet.evaluate.voc import Points, voc_ap, voc_matches


def read_case(folder: Path) -> tuple[list[Detections], list[Sample]]:
    samples: list[Sample] = []
    detections: list[Detections] = []
    for file in sorted((folder / "gts").glob("*.txt")):
        boxes = [line.split()[1:] for line in file.read_text().splitlines()]
        rows = [line.split()[1:] for line in (folder / "dets" / file.name).read_text().splitlines()]
        true_xywh = torch.tensor([[float(v) for v in box] for box in boxes])
        found = torch.tensor([[float(v) for v in row] for row in rows])
        picture = ImageFile(Path("absent.jpg"), 200, 200)
        samples.append(Sample.of(picture, to_last_pixel(true_xywh), [0] * len(boxes)))
        detections.append(
            Detections(
                boxes_xyxy=to_last_pixel(found[:, 1:]),
                scores=found[:, 0],
                labels=torch.zeros(len(rows), dtype=torch.int64),
            )
        )
    return detections, samples


def to_last_pixel(boxes_xywh: torch.Tensor) -> torch.Tensor:
    """Read x + w as the last pixel of the box, as the reference did, like the kit."""
    return xywh_to_xyxy(boxes_xywh) + torch.tensor([0.0, 0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("eleven", {0.1: 0.3333333333, 0.3: 0.2683982683, 0.5: 0.0303030303, 0.75: 0.0}),
        ("every", {0.1: 0.3371980676, 0.3: 0.2456866804, 0.5: 0.0222222222, 0.75: 0.0}),
    ],
)
def test_ap_equals_the_reference_values(
    evaluator_dir: Path, points: Points, expected: dict[float, float]
) -> None:
    detections, samples = read_case(evaluator_dir / "voc_case_1")
    matches = voc_matches(detections, samples, ClassList.of(["object"]))
    for iou_threshold, ap in expected.items():
        found = voc_ap(matches, iou_threshold=iou_threshold, points=points)
        assert found.tolist() == pytest.approx([ap], abs=1e-9)


def naive_right(
    detections: list[Detections],
    samples: list[Sample],
    label: int,
    threshold: float,
    rows: list[tuple[float, int, int]],
) -> list[bool]:
    taken: set[tuple[int, int]] = set()
    right: list[bool] = []
    for _, image, place in rows:
        sample, box_xyxy = samples[image], detections[image].boxes_xyxy[place : place + 1]
        iou = pairwise_iou(box_xyxy.double(), sample.boxes_xyxy.double())[0]
        candidates = [
            (-float(iou[b]), b) for b in range(len(iou)) if int(sample.labels[b]) == label
        ]
        overlap, best = min(candidates, default=(0.0, -1))
        hit = overlap < 0 and -overlap >= threshold
        if hit and bool(sample.difficult[best] | sample.crowd[best]):
            continue
        right.append(hit and (image, best) not in taken)
        if hit:
            taken.add((image, best))
    return right


def naive_ap(
    detections: list[Detections],
    samples: list[Sample],
    label: int,
    threshold: float,
    points: Points,
) -> float:
    """Follow the kit one detection after the other."""
    rows = [
        (-float(score), image, place)
        for image, found in enumerate(detections)
        for place, (score, mine) in enumerate(zip(found.scores, found.labels, strict=True))
        if int(mine) == label
    ]
    right = naive_right(detections, samples, label, threshold, sorted(rows))
    num_boxes = sum(int(((s.labels == label) & ~s.difficult & ~s.crowd).sum()) for s in samples)
    if not num_boxes:
        return math.nan
    recalls = [sum(right[: i + 1]) / num_boxes for i in range(len(right))]
    precisions = [sum(right[: i + 1]) / (i + 1) for i in range(len(right))]
    pairs = list(zip(recalls, precisions, strict=True))
    if points == "eleven":
        return sum(max((p for r, p in pairs if r >= k * 0.1), default=0.0) for k in range(11)) / 11
    steps = zip(recalls, [0.0, *recalls], strict=False)
    return sum((r - before) * max(precisions[i:]) for i, (r, before) in enumerate(steps))


def random_case(seed: int) -> tuple[list[Detections], list[Sample]]:
    torch.manual_seed(seed)
    samples: list[Sample] = []
    detections: list[Detections] = []
    for _ in range(8):
        count = int(torch.randint(0, 8, ()))
        low = (torch.rand(count, 2) * 12).round() * 4
        boxes, labels = torch.cat([low, low + 12], dim=1), torch.randint(0, 3, (count,))
        flags = torch.rand(2, count) < 0.15
        samples.append(
            Sample.of(
                ImageFile(Path("absent.jpg"), 64, 64),
                boxes,
                labels,
                difficult=flags[0],
                crowd=flags[1],
            )
        )
        copies = torch.randint(0, max(count, 1), (2 * count,))
        moved = boxes[copies] + (torch.randn(2 * count, 4) * 2).round()
        moved[:, 2:] = torch.maximum(moved[:, 2:], moved[:, :2] + 1)
        detections.append(
            Detections(
                boxes_xyxy=moved,
                scores=(torch.rand(2 * count) * 5).round() / 5,
                labels=torch.randint(0, 3, (2 * count,)),
            )
        )
    return detections, samples


@pytest.mark.parametrize("points", ["eleven", "every"])
@pytest.mark.parametrize("seed", range(15))
def test_ap_equals_the_kit_followed_step_by_step(seed: int, points: Points) -> None:
    detections, samples = random_case(seed)
    matches = voc_matches(detections, samples, ClassList.numbered(3))
    for threshold in (0.0, 0.25, 0.5, 0.75):
        found = voc_ap(matches, iou_threshold=threshold, points=points)
        expected = [naive_ap(detections, samples, c, threshold, points) for c in range(3)]
        assert found.tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_eleven_point_ap_of_perfect_detections_grows_with_the_recall() -> None:
    boxes = [[20.0 * k, 0, 20.0 * k + 10, 10] for k in range(4)]
    sample = Sample.of(ImageFile(Path("absent.jpg"), 10, 80), boxes, [0] * 4)
    points: list[float] = []
    for count in range(5):
        found = Detections(
            boxes_xyxy=sample.boxes_xyxy[:count],
            scores=torch.ones(count),
            labels=sample.labels[:count],
        )
        matches = voc_matches([found], [sample], ClassList.of("a"))
        points.append(11 * float(voc_ap(matches, points="eleven")[0]))
    assert points == pytest.approx([0, 3, 6, 8, 11])
