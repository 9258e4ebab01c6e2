"""An SSD-like host: anchors on two maps, softmax with background at 0, a tuple of rows out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seeded.boxes import Found, overlap, suppress
from seeded.hosts.detection import detection_patient
from seeded.program import Patient

SIZE = (64, 96)
CLASSES = 3
VARIANCES = (0.1, 0.2)
STRIDES = (8, 16)
SIDES = (16.0, 26.0)
RATIOS = (0.6, 1.0, 1.7)
Rows = tuple[Tensor, Tensor]
"""Class scores (n, rows, 1 + classes) and box deltas (n, rows, 4)."""


def conv_bn_relu(inward: int, outward: int, *, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outward),
        nn.ReLU(),
    )


class SingleShot(nn.Module):
    """`middle` sits between the stride-8 features and both the head and the deeper stage."""

    def __init__(
        self,
        *,
        stem: nn.Module | None = None,
        middle: nn.Module | None = None,
        deeper: nn.Module | None = None,
        width: int = 48,
        outputs: int = CLASSES + 1,
    ) -> None:
        super().__init__()
        self.stem = stem or conv_bn_relu(3, 16, stride=2)
        self.stage1 = nn.Sequential(conv_bn_relu(16, 24, stride=2), conv_bn_relu(24, 32))
        self.stage2 = nn.Sequential(conv_bn_relu(32, width, stride=2), conv_bn_relu(width, width))
        self.middle = middle or nn.Identity()
        self.deeper = deeper or nn.Sequential(
            conv_bn_relu(width, 32, kernel=1), conv_bn_relu(32, 64, stride=2)
        )
        self.outputs = outputs
        self.confidence = nn.ModuleList(
            nn.Conv2d(c, len(RATIOS) * outputs, 3, padding=1) for c in (width, 64)
        )
        self.location = nn.ModuleList(
            nn.Conv2d(c, len(RATIOS) * 4, 3, padding=1) for c in (width, 64)
        )

    def features(self, x: Tensor) -> list[Tensor]:
        x = self.middle(self.stage2(self.stage1(self.stem(x))))
        return [x, self.deeper(x)]

    def rows(self, maps: Tensor, *, last: int) -> Tensor:
        """(n, anchors · last, h, w) -> (n, h · w · anchors, last)."""
        return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, last)

    def forward(self, x: Tensor) -> Rows:
        scores, deltas = [], []
        for level, map_ in enumerate(self.features(x)):
            scores.append(self.rows(self.confidence[level](map_), last=self.outputs))
            deltas.append(self.rows(self.location[level](map_), last=4))
        return torch.cat(scores, 1), torch.cat(deltas, 1)


def anchors(
    size: tuple[int, int] = SIZE,
    *,
    sides: tuple[float, ...] = SIDES,
    ratios: tuple[float, ...] = RATIOS,
) -> Tensor:
    """Every row's anchor, (rows, 4) centre x, centre y, width, height in pixels."""
    rows = []
    for stride, side in zip(STRIDES, sides, strict=True):
        h, w = -(-size[0] // stride), -(-size[1] // stride)
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        centre = (torch.stack([x, y], -1).float() + 0.5) * stride
        shapes = torch.tensor([[side / r**0.5, side * r**0.5] for r in ratios])
        rows.append(
            torch.cat(
                [
                    centre[:, :, None].expand(h, w, len(ratios), 2),
                    shapes.expand(h, w, len(ratios), 2),
                ],
                -1,
            ).reshape(-1, 4)
        )
    return torch.cat(rows)


def corners(boxes: Tensor) -> Tensor:
    """centre x, centre y, width, height -> x1, y1, x2, y2."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def centres(boxes: Tensor) -> Tensor:
    """x1, y1, x2, y2 -> centre x, centre y, width, height."""
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)


def to_deltas(boxes_xyxy: Tensor, priors: Tensor) -> Tensor:
    boxes = centres(boxes_xyxy)
    return torch.cat(
        [
            (boxes[:, :2] - priors[:, :2]) / priors[:, 2:] / VARIANCES[0],
            (boxes[:, 2:] / priors[:, 2:]).clamp(min=1e-3).log() / VARIANCES[1],
        ],
        1,
    )


def to_boxes(deltas: Tensor, priors: Tensor) -> Tensor:
    centre = priors[:, :2] + deltas[..., :2] * VARIANCES[0] * priors[:, 2:]
    return corners(
        torch.cat([centre, priors[:, 2:] * (deltas[..., 2:] * VARIANCES[1]).clamp(max=5).exp()], -1)
    )


def match(boxes_xyxy: Tensor, priors_xyxy: Tensor) -> Tensor:
    """The box that each prior is to find, (rows,), or -1: IoU 0.5, and every box's best prior."""
    if not len(boxes_xyxy):
        return torch.full((len(priors_xyxy),), -1)
    overlaps = overlap(priors_xyxy, boxes_xyxy)
    best, owner = overlaps.max(1)
    owner = owner.masked_fill(best < 0.5, -1)
    owner[overlaps.argmax(0)] = torch.arange(len(boxes_xyxy))
    return owner


def encode(
    boxes_xyxy: Tensor,
    labels: Tensor,
    *,
    size: tuple[int, int] = SIZE,
    priors: Tensor | None = None,
) -> dict[str, Tensor]:
    """`label` (rows,) with 0 for background, `delta` (rows, 4)."""
    priors = anchors(size) if priors is None else priors
    owner = match(boxes_xyxy, corners(priors))
    wanted = torch.zeros(len(priors), dtype=torch.int64)
    delta = torch.zeros(len(priors), 4)
    taken = owner >= 0
    wanted[taken] = labels[owner[taken]] + 1
    delta[taken] = to_deltas(boxes_xyxy[owner[taken]], priors[taken])
    return {"label": wanted, "delta": delta}


def perfect(targets: dict[str, Tensor], *, outputs: int = CLASSES + 1) -> Rows:
    scores = F.one_hot(targets["label"], outputs).float() * 12
    return scores[None], targets["delta"][None]


def decode(rows: Rows, *, priors: Tensor | None = None) -> list[Found]:
    priors = anchors() if priors is None else priors
    chances = rows[0].softmax(-1)[..., 1:]
    return [
        suppress(to_boxes(delta, priors), *chance.max(-1))
        for chance, delta in zip(chances, rows[1], strict=True)
    ]


def rows_loss(
    scores: Tensor,
    deltas: Tensor,
    label: Tensor,
    delta: Tensor,
) -> Tensor:
    """Cross entropy with three negatives a positive, and smooth L1, both over the positives."""
    found = label > 0
    count = found.sum().clamp(min=1)
    entropy = F.cross_entropy(scores.flatten(0, 1), label.flatten(), reduction="none")
    entropy = entropy.view_as(label)
    hardest = entropy.masked_fill(found, 0).detach().sort(dim=1, descending=True).indices
    rank = torch.empty_like(hardest).scatter_(
        1, hardest, torch.arange(hardest.shape[1]).expand_as(hardest)
    )
    negative = (rank < 3 * found.sum(1, keepdim=True).clamp(min=2)) & ~found
    places = F.smooth_l1_loss(deltas[found], delta[found], reduction="sum")
    return (entropy[found | negative].sum() + places) / count


def loss_with(
    encode: Callable[..., dict[str, Tensor]] = encode,
    rows_loss: Callable[..., Tensor] = rows_loss,
) -> Callable[..., Tensor]:
    def batch_loss(model: Any, images: Tensor, boxes: list[Tensor], labels: list[Tensor]) -> Tensor:
        size = tuple(images.shape[-2:])
        targets = [encode(b, c, size=size) for b, c in zip(boxes, labels, strict=True)]
        scores, deltas = model(images)
        return rows_loss(
            scores,
            deltas,
            torch.stack([t["label"] for t in targets]),
            torch.stack([t["delta"] for t in targets]),
        )

    return batch_loss


def patient(model: nn.Module, **changed: Any) -> Patient:
    """The host's own rules, with some of them changed."""
    rules: dict[str, Any] = {
        "size": SIZE,
        "batch_loss": loss_with(),
        "encode": encode,
        "perfect": perfect,
        "decode": decode,
        "row_boxes": lambda size: corners(anchors(size)),
    }
    return detection_patient(model, **(rules | changed))
