"""A host without anchors: distances to four sides as distributions, one (n, channels, rows) out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seeded.boxes import Found, suppress
from seeded.hosts.detection import detection_patient
from seeded.program import Patient

SIZE = (64, 96)
CLASSES = 3
STRIDES = (4, 8)
BINS = 8


class Cbs(nn.Module):
    def __init__(self, c1, c2, k=3, s=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU() if act else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Split(nn.Module):
    """Half of the channels go through a bottleneck, and all that passed is joined again."""

    def __init__(self, c, bottleneck: Callable[[int], nn.Module] | None = None):
        super().__init__()
        self.enter = Cbs(c, c, 1)
        self.deep = (bottleneck or (lambda half: nn.Sequential(Cbs(half, half), Cbs(half, half))))(
            c // 2
        )
        self.leave = Cbs(c // 2 * 3, c, 1)

    def forward(self, x):
        left, right = self.enter(x).chunk(2, 1)
        return self.leave(torch.cat((left, right, self.deep(right)), 1))


class Sides(nn.Module):
    """The head of one level: four distributions over `BINS` bins, then the classes."""

    def __init__(self, c, classes=CLASSES):
        super().__init__()
        self.box = nn.Sequential(Cbs(c, 32), nn.Conv2d(32, 4 * BINS, 1))
        self.cls = nn.Sequential(Cbs(c, 32), nn.Conv2d(32, classes, 1))
        nn.init.constant_(self.cls[-1].bias, -4.0)

    def forward(self, x):
        return torch.cat((self.box(x), self.cls(x)), 1).flatten(2)


class FreeNet(nn.Module):
    def __init__(
        self,
        *,
        stem: nn.Module | None = None,
        fine: nn.Module | None = None,
        coarse: nn.Module | None = None,
        merge: nn.Module | None = None,
        heads: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.stem = stem or nn.Sequential(Cbs(3, 16, 3, 2), Cbs(16, 32, 3, 2))
        self.fine = fine or Split(32)
        self.coarse = coarse or nn.Sequential(Cbs(32, 48, 3, 2), Split(48))
        self.merge = merge or Cbs(32 + 48, 32, 1)
        self.heads = nn.ModuleList(heads or (Sides(32), Sides(48)))

    def pyramid(self, x):
        p2 = self.fine(self.stem(x))
        p3 = self.coarse(p2)
        up = F.interpolate(p3, scale_factor=2.0, mode="nearest")
        return self.merge(torch.cat((p2, up), 1)), p3

    def forward(self, x):
        return torch.cat([head(p) for head, p in zip(self.heads, self.pyramid(x))], 2)


def points(size: tuple[int, int] = SIZE) -> tuple[Tensor, Tensor]:
    """Each row's place (rows, 2) as x, y in pixels, and its stride (rows, 1)."""
    places, strides = [], []
    for stride in STRIDES:
        h, w = size[0] // stride, size[1] // stride
        x = (torch.arange(w) + 0.5) * stride
        y = (torch.arange(h) + 0.5) * stride
        place = torch.stack((x.repeat(h), y.repeat_interleave(w)), 1)
        places.append(place)
        strides.append(torch.full((len(place), 1), float(stride)))
    return torch.cat(places), torch.cat(strides)


def cells(size: tuple[int, int] = SIZE) -> Tensor:
    """The square of the input that each row stands for, (rows, 4) xyxy."""
    place, stride = points(size)
    return torch.cat((place - stride / 2, place + stride / 2), 1)


def encode(
    boxes_xyxy: Tensor, labels: Tensor, *, size: tuple[int, int] = SIZE
) -> dict[str, Tensor]:
    """`label` (rows,) with -1 for nothing, `sides` (rows, 4) in strides: left, top, right, bottom."""
    place, stride = points(size)
    label = torch.full((len(place),), -1)
    sides = torch.zeros(len(place), 4)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1)
    for i in areas.argsort(descending=True).tolist():
        box = boxes_xyxy[i]
        level = STRIDES[0] if (box[2:] - box[:2]).max() < 24 else STRIDES[1]
        near = (place - (box[:2] + box[2:]) / 2).abs().amax(1) <= 0.9 * level
        mine = near & (stride[:, 0] == level)
        label[mine] = labels[i]
        away = torch.cat((place[mine] - box[:2], box[2:] - place[mine]), 1)
        sides[mine] = (away / stride[mine]).clamp(0, BINS - 1.01)
    return {"label": label, "sides": sides}


def shares(sides: Tensor) -> Tensor:
    """(…, 4) distances -> (…, 4, BINS): what falls to the bin below and to the one above."""
    low = sides.floor()
    part = sides - low
    low = low.long()
    return F.one_hot(low, BINS) * (1 - part)[..., None] + F.one_hot(low + 1, BINS) * part[..., None]


def perfect(targets: dict[str, Tensor]) -> Tensor:
    box = shares(targets["sides"]).clamp(min=1e-6).log().flatten(1)
    label = F.one_hot(targets["label"] + 1, CLASSES + 1)[:, 1:] * 16.0 - 8
    return torch.cat((box, label), 1).T[None]


def distances(box: Tensor) -> Tensor:
    """(n, 4 · BINS, rows) -> expected distances (n, rows, 4) in strides."""
    spread = box.unflatten(1, (4, BINS)).softmax(2)
    return torch.einsum("nsbr,b->nrs", spread, torch.arange(BINS).float())


def to_boxes(sides: Tensor, size: tuple[int, int] = SIZE) -> Tensor:
    place, stride = points(size)
    return torch.cat((place - sides[..., :2] * stride, place + sides[..., 2:] * stride), -1)


def decode(outputs: Tensor, *, size: tuple[int, int] = SIZE) -> list[Found]:
    box, cls = outputs.split((4 * BINS, CLASSES), 1)
    boxes = to_boxes(distances(box), size)
    return [suppress(b, *c.max(0)) for b, c in zip(boxes, cls.sigmoid(), strict=True)]


def iou_of_pairs(a: Tensor, b: Tensor) -> Tensor:
    """IoU row by row of two (m, 4) xyxy."""
    wide = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    shared = wide.clamp(min=0).prod(1)
    whole = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    return shared / (whole + 1e-6)


def outputs_loss(
    outputs: Tensor, label: Tensor, sides: Tensor, size: tuple[int, int], *, pair_iou=iou_of_pairs
) -> Tensor:
    box, cls = outputs.split((4 * BINS, CLASSES), 1)
    found = label >= 0
    count = found.sum().clamp(min=1)
    wanted = F.one_hot(label + 1, CLASSES + 1)[..., 1:].transpose(1, 2).float()
    classes = F.binary_cross_entropy_with_logits(cls, wanted, reduction="sum") / count
    spread = box.unflatten(1, (4, BINS)).permute(0, 3, 1, 2)[found].log_softmax(-1)
    bins = -(shares(sides[found]) * spread).sum(-1).mean(-1).sum() / count
    here = to_boxes(distances(box), size)[found]
    there = to_boxes(sides, size)[found]
    return classes + bins + 2 * (1 - pair_iou(here, there)).sum() / count


def loss_with(
    encode: Callable[..., dict[str, Tensor]] = encode,
    outputs_loss: Callable[..., Tensor] = outputs_loss,
) -> Callable[..., Tensor]:
    def batch_loss(model: Any, images: Tensor, boxes: list[Tensor], labels: list[Tensor]) -> Tensor:
        size = tuple(images.shape[-2:])
        targets = [encode(b, c, size=size) for b, c in zip(boxes, labels, strict=True)]
        label, sides = (torch.stack([t[k] for t in targets]) for k in ("label", "sides"))
        return outputs_loss(model(images), label, sides, size)

    return batch_loss


def patient(model: nn.Module, **changed: Any) -> Patient:
    rules: dict[str, Any] = {
        "size": SIZE,
        "batch_loss": loss_with(),
        "encode": encode,
        "perfect": perfect,
        "decode": decode,
        "row_boxes": cells,
    }
    return detection_patient(model, **(rules | changed))
