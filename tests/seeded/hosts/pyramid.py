"""A RetinaNet-like host: three maps merged top-down, tied heads, focal loss, a dict of rows out."""

from collections.abc import Callable, Sequence
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seeded.boxes import Found, suppress
from seeded.hosts import anchors as ssd
from seeded.hosts.detection import detection_patient
from seeded.program import Patient

SIZE = (96, 96)
CLASSES = 3
STRIDES = (8, 16, 32)
SIDES = ((14.0, 20.0), (22.0, 29.0), (34.0, 42.0))


class Residual(nn.Module):
    def __init__(self, inward: int, outward: int, stride: int = 1) -> None:
        super().__init__()
        self.a = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.na = nn.BatchNorm2d(outward)
        self.b = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.nb = nn.BatchNorm2d(outward)
        self.short = (
            nn.Conv2d(inward, outward, 1, stride, bias=False)
            if stride > 1 or inward != outward
            else nn.Identity()
        )

    def forward(self, x):
        y = F.relu(self.na(self.a(x)))
        return F.relu(self.nb(self.b(y)) + self.short(x))


class Backbone(nn.Module):
    def __init__(self, widths: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.c2 = Residual(widths[0], widths[0], 2)
        self.c3 = Residual(widths[0], widths[1], 2)
        self.c4 = Residual(widths[1], widths[2], 2)
        self.c5 = Residual(widths[2], widths[3], 2)
        self.widths = tuple(widths[1:])

    def forward(self, x):
        c3 = self.c3(self.c2(self.stem(x)))
        c4 = self.c4(c3)
        return [c3, c4, self.c5(c4)]


class TopDown(nn.Module):
    def __init__(self, widths: Sequence[int] = (32, 48, 64), width: int = 32) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in widths)

    def up(self, x, like):
        return F.interpolate(x, size=like.shape[-2:], mode="nearest")

    def forward(self, maps):
        merged = [lateral(m) for lateral, m in zip(self.lateral, maps)]
        for i in range(len(merged) - 2, -1, -1):
            merged[i] = merged[i] + self.up(merged[i + 1], merged[i])
        return [smooth(m) for smooth, m in zip(self.smooth, merged)]


class Head(nn.Module):
    def __init__(self, outputs: int, width: int = 32, depth: int = 2, prior: float | None = None):
        super().__init__()
        layers = []
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(4, width), nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.predict = nn.Conv2d(width, outputs * len(SIDES[0]), 3, padding=1)
        self.outputs = outputs
        nn.init.normal_(self.predict.weight, std=0.01)
        nn.init.zeros_(self.predict.bias)
        if prior is not None:
            nn.init.constant_(self.predict.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        y = self.predict(self.tower(x))
        n, _, h, w = y.shape
        return y.view(n, -1, self.outputs, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, self.outputs)


class Retina(nn.Module):
    def __init__(
        self,
        *,
        backbone: nn.Module | None = None,
        neck: nn.Module | None = None,
        classes: nn.Module | None = None,
        boxes: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone or Backbone()
        self.neck = neck or TopDown()
        self.cls_head = classes or Head(CLASSES, prior=0.02)
        self.box_head = boxes or Head(4)

    def forward(self, images):
        pyramid = self.neck(self.backbone(images))
        return {
            "logits": torch.cat([self.cls_head(p) for p in pyramid], dim=1),
            "deltas": torch.cat([self.box_head(p) for p in pyramid], dim=1),
        }


def anchors(
    size: tuple[int, int] = SIZE,
    *,
    strides: Sequence[int] = STRIDES,
    sides: Sequence[Sequence[float]] = SIDES,
) -> Tensor:
    """(rows, 4) centre x, centre y, width, height: level, then y, x and side."""
    rows = []
    for stride, pair in zip(strides, sides, strict=True):
        h, w = -(-size[0] // stride), -(-size[1] // stride)
        for y in range(h):
            for x in range(w):
                rows += [[(x + 0.5) * stride, (y + 0.5) * stride, s, s] for s in pair]
    return torch.tensor(rows)


def encode(
    boxes_xyxy: Tensor,
    labels: Tensor,
    *,
    size: tuple[int, int] = SIZE,
    priors: Tensor | None = None,
) -> dict[str, Tensor]:
    """`label` (rows,) with -1 where there is nothing, `delta` (rows, 4)."""
    priors = anchors(size) if priors is None else priors
    owner = ssd.match(boxes_xyxy, ssd.corners(priors))
    label = torch.full((len(priors),), -1)
    delta = torch.zeros(len(priors), 4)
    taken = owner >= 0
    label[taken] = labels[owner[taken]]
    delta[taken] = ssd.to_deltas(boxes_xyxy[owner[taken]], priors[taken])
    return {"label": label, "delta": delta}


def hot(label: Tensor) -> Tensor:
    """(…,) with -1 for nothing -> (…, classes) of zeros and ones."""
    return F.one_hot(label + 1, CLASSES + 1)[..., 1:].float()


def perfect(targets: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": (hot(targets["label"]) * 16 - 8)[None], "deltas": targets["delta"][None]}


def decode(outputs: dict[str, Tensor], *, priors: Tensor | None = None) -> list[Found]:
    priors = anchors() if priors is None else priors
    return [
        suppress(ssd.to_boxes(delta, priors), *logits.sigmoid().max(-1))
        for logits, delta in zip(outputs["logits"], outputs["deltas"], strict=True)
    ]


def focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Sum of focal loss, alpha .4 and gamma 1.5."""
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    missed = (wanted - logits.sigmoid()).abs()
    alpha = torch.where(wanted > 0, 0.4, 0.6)
    return (alpha * missed**1.5 * entropy).sum()


def rows_loss(
    outputs: dict[str, Tensor],
    label: Tensor,
    delta: Tensor,
    *,
    focal: Callable[..., Tensor] = focal,
) -> Tensor:
    found = label >= 0
    count = found.sum().clamp(min=1)
    places = F.smooth_l1_loss(outputs["deltas"][found], delta[found], reduction="sum", beta=0.5)
    return (focal(outputs["logits"], hot(label)) * 2 + places * 0.5) / count


def loss_with(
    encode: Callable[..., dict[str, Tensor]] = encode,
    rows_loss: Callable[..., Tensor] = rows_loss,
) -> Callable[..., Tensor]:
    def batch_loss(model: Any, images: Tensor, boxes: list[Tensor], labels: list[Tensor]) -> Tensor:
        targets = [
            encode(b, c, size=tuple(images.shape[-2:])) for b, c in zip(boxes, labels, strict=True)
        ]
        label, delta = (torch.stack([t[k] for t in targets]) for k in ("label", "delta"))
        return rows_loss(model(images), label, delta)

    return batch_loss


def patient(model: nn.Module, **changed: Any) -> Patient:
    rules: dict[str, Any] = {
        "size": SIZE,
        "batch_loss": loss_with(),
        "encode": encode,
        "perfect": perfect,
        "decode": decode,
        "row_boxes": lambda size: ssd.corners(anchors(size)),
    }
    return detection_patient(model, **(rules | changed))
