"""The data's way of a tiny SSD: samples, augmentation, encoding, decoding, evaluation."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocketdet.doctor import DetectionPipeline

SIZE = 96
NUM_CLASSES = 4
STRIDE = 8
SIDES = (16.0, 28.0, 44.0)
VARIANCES = (0.1, 0.2)


@dataclass(frozen=True)
class Example:
    image: Tensor
    boxes_xyxy: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Answer:
    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor


def examples(count: int = 8) -> list[Example]:
    """Three boxes an image that do not overlap, all classes, away from the border."""
    generator = torch.Generator().manual_seed(3)
    found: list[Example] = []
    for number in range(count):
        corners = torch.tensor([[6.0, 8.0], [52.0, 14.0], [20.0, 56.0]])
        corners = corners + torch.rand(3, 2, generator=generator) * 4
        sizes = 16 + torch.rand(3, 2, generator=generator) * torch.tensor([18.0, 12.0])
        labels = (torch.arange(3) + number) % NUM_CLASSES
        image = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
        found.append(Example(image, torch.cat([corners, corners + sizes], 1), labels))
    return found


def priors_xyxy() -> Tensor:
    steps = (torch.arange(SIZE // STRIDE) + 0.5) * STRIDE
    cy, cx = torch.meshgrid(steps, steps, indexing="ij")
    centres = torch.stack([cx, cy], -1)[:, :, None, :].expand(-1, -1, len(SIDES), 2)
    half = torch.tensor(SIDES)[:, None] / 2
    return torch.cat([centres - half, centres + half], -1).reshape(-1, 4)


def cxcywh(boxes: Tensor) -> Tensor:
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def xyxy(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def iou(one: Tensor, other: Tensor) -> Tensor:
    low = torch.maximum(one[:, None, :2], other[None, :, :2])
    high = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (one, other)]
    return inner / (areas[0][:, None] + areas[1] - inner)


def encode(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Give deltas (priors, 4) and classes (priors,), 0 for the background."""
    priors = priors_xyxy()
    deltas, classes = torch.zeros(len(priors), 4), torch.zeros(len(priors), dtype=torch.int64)
    if len(boxes):
        overlap = iou(priors, boxes)
        best, which = overlap.max(1)
        for number, prior in enumerate(overlap.argmax(0).tolist()):
            best[prior], which[prior] = 1.0, number
        positive = best > 0.5
        p, b = cxcywh(priors), cxcywh(boxes[which])
        offsets = (b[:, :2] - p[:, :2]) / p[:, 2:] / VARIANCES[0]
        deltas = torch.cat([offsets, (b[:, 2:] / p[:, 2:]).log() / VARIANCES[1]], 1)
        deltas = deltas * positive[:, None]
        classes = torch.where(positive, labels[which] + 1, 0)
    return deltas, classes


def perfect(targets: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    deltas, classes = targets
    logits = torch.nn.functional.one_hot(classes, NUM_CLASSES + 1) * 20.0
    return deltas[None], logits[None]


def decode(outputs: tuple[Tensor, Tensor]) -> list[Answer]:
    answers: list[Answer] = []
    p = cxcywh(priors_xyxy())
    for deltas, logits in zip(*outputs, strict=True):
        centres = p[:, :2] + deltas[:, :2] * VARIANCES[0] * p[:, 2:]
        boxes = xyxy(torch.cat([centres, p[:, 2:] * (deltas[:, 2:] * VARIANCES[1]).exp()], 1))
        scores, labels = logits.softmax(-1)[:, 1:].max(-1)
        answers.append(suppressed(boxes, scores, labels))
    return answers


def suppressed(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
    keep: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if scores[index] < 0.05:
            break
        same = [k for k in keep if labels[k] == labels[index]]
        if not same or float(iou(boxes[index][None], boxes[same]).max()) < 0.5:
            keep.append(index)
    return Answer(boxes[keep], scores[keep], labels[keep])


def evaluate(found: list[Answer], labelled: list[Example]) -> float:
    """Give the F1 score at an IoU of .5, which is enough for these tests."""
    right = wrong = total = 0
    for answer, example in zip(found, labelled, strict=True):
        total += len(example.labels)
        left = set(range(len(example.labels)))
        for box, label in zip(answer.boxes_xyxy, answer.labels.tolist(), strict=True):
            overlap = iou(box[None], example.boxes_xyxy)[0]
            hits = [n for n in left if overlap[n] >= 0.5 and int(example.labels[n]) == label]
            left -= set(hits[:1])
            right, wrong = right + bool(hits), wrong + (not hits)
    return 2 * right / max(1, right + wrong + total)


def transform(example: Example) -> Example:
    """Flip, shift and darken, as the dice fall."""
    image, boxes = example.image, example.boxes_xyxy.clone()
    if torch.rand(()) < 0.5:
        image = image.flip(-1)
        boxes[:, [0, 2]] = SIZE - boxes[:, [2, 0]]
    down = int(torch.randint(0, 9, ()))
    image = torch.nn.functional.pad(image, (0, 0, down, 0), value=114)[:, :SIZE]
    boxes[:, [1, 3]] = (boxes[:, [1, 3]] + down).clamp(max=SIZE)
    image = (image * float(0.5 + torch.rand(()))).clamp(0, 255).to(torch.uint8)
    return Example(image, boxes, example.labels)


SOUND = DetectionPipeline(
    samples=examples(),
    num_classes=NUM_CLASSES,
    transform=transform,
    preprocess=lambda image: image.float() / 255,
    encode=encode,
    perfect=perfect,
    decode=decode,
    evaluate=evaluate,
)


def altered(**parts: object) -> DetectionPipeline:
    return replace(SOUND, **parts)  # type: ignore[arg-type]
