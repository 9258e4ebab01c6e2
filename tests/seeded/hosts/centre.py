"""A CenterNet-like host: a heat map of centres, sizes and offsets at a quarter, maps in a dict out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seeded.boxes import Found
from seeded.hosts.detection import detection_patient
from seeded.program import Patient

SIZE = (64, 80)
CLASSES = 3
STRIDE = 4


class ChannelsLast(nn.Module):
    """A ConvNeXt-like block: depthwise, then two linear layers on (n, h, w, c)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.wide = nn.Linear(dim, 3 * dim)
        self.narrow = nn.Linear(3 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.narrow(F.gelu(self.wide(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


class Down(nn.Sequential):
    def __init__(self, inward: int, outward: int) -> None:
        super().__init__(nn.GroupNorm(1, inward), nn.Conv2d(inward, outward, 2, stride=2))


class Join(nn.Module):
    """The coarse map, twice as large, added to the fine one."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(coarse, fine, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        larger = F.interpolate(
            self.project(coarse), size=fine.shape[2:], mode="bilinear", align_corners=False
        )
        return fine + larger


class CentreNet(nn.Module):
    def __init__(
        self,
        *,
        block: Callable[[int], nn.Module] = ChannelsLast,
        join: Callable[[int, int], nn.Module] = Join,
        neck: nn.Module | None = None,
        heads: Callable[[int], nn.Module] | None = None,
        dim: int = 32,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, dim, 7, stride=4, padding=3)
        self.quarter = nn.Sequential(block(dim), block(dim))
        self.eighth = nn.Sequential(Down(dim, 2 * dim), block(2 * dim), block(2 * dim))
        self.join = join(2 * dim, dim)
        self.neck = neck or nn.Identity()
        self.heads = (heads or standard_heads)(dim)

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        fine = self.quarter(self.patches(pixel_values))
        x = self.neck(self.join(fine, self.eighth(fine)))
        return {name: head(x) for name, head in self.heads.items()}


def standard_heads(dim: int, *, prior: float = -2.2) -> nn.ModuleDict:
    heads = nn.ModuleDict()
    for name, outputs in (("heat", CLASSES), ("size", 2), ("offset", 2)):
        heads[name] = nn.Sequential(
            nn.Conv2d(dim, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, outputs, 1)
        )
    nn.init.constant_(heads["heat"][-1].bias, prior)
    return heads


def encode(
    boxes_xyxy: Tensor, labels: Tensor, *, size: tuple[int, int] = SIZE
) -> dict[str, Tensor]:
    """Maps at a quarter: `heat` (classes, h, w), `size` and `offset` (2, h, w), `there` (h, w)."""
    h, w = size[0] // STRIDE, size[1] // STRIDE
    heat = torch.zeros(CLASSES, h, w)
    extent, offset = torch.zeros(2, h, w), torch.zeros(2, h, w)
    there = torch.zeros(h, w, dtype=torch.bool)
    ys, xs = torch.arange(h)[:, None], torch.arange(w)[None]
    for box, label in zip(boxes_xyxy / STRIDE, labels.tolist(), strict=True):
        wide = box[2:] - box[:2]
        middle = (box[:2] + box[2:]) / 2
        x, y = (int(v) for v in middle.floor())
        x, y = min(x, w - 1), min(y, h - 1)
        sigma = wide.clamp(min=2) / 7
        bump = torch.exp(
            -((xs - x) ** 2 / (2 * sigma[0] ** 2)) - (ys - y) ** 2 / (2 * sigma[1] ** 2)
        )
        heat[label] = torch.maximum(heat[label], bump)
        extent[:, y, x] = wide.clamp(min=0.1).log()
        offset[:, y, x] = middle - torch.tensor([float(x), float(y)])
        there[y, x] = True
    return {"heat": heat, "size": extent, "offset": offset, "there": there}


def perfect(targets: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        "heat": torch.logit(targets["heat"], eps=1e-4)[None],
        "size": targets["size"][None],
        "offset": targets["offset"][None],
    }


def decode(outputs: dict[str, Tensor]) -> list[Found]:
    heat = outputs["heat"].sigmoid()
    heat = heat * (heat == F.max_pool2d(heat, 3, 1, 1))
    found = []
    for scores, extent, offset in zip(heat, outputs["size"], outputs["offset"], strict=True):
        w = scores.shape[-1]
        best, index = scores.flatten().topk(30)
        label, cell = index // scores[0].numel(), index % scores[0].numel()
        middle = torch.stack((cell % w, cell // w), 1) + offset.flatten(1).T[cell]
        half = extent.flatten(1).T[cell].clamp(max=5).exp() / 2
        boxes = torch.cat((middle - half, middle + half), 1) * STRIDE
        found.append(Found(boxes_xyxy=boxes, scores=best, labels=label))
    return found


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """CornerNet's focal loss, summed."""
    peak = heat == 1
    chance = logits.sigmoid()
    right = -F.logsigmoid(logits) * (1 - chance) ** 2
    wrong = -F.logsigmoid(-logits) * chance**2 * (1 - heat) ** 4
    return torch.where(peak, right, wrong).sum()


def maps_loss(
    outputs: dict[str, Tensor], targets: dict[str, Tensor], *, heat_loss=heat_loss
) -> Tensor:
    there = targets["there"]
    count = there.sum().clamp(min=1)
    total = heat_loss(outputs["heat"], targets["heat"])
    for name in ("size", "offset"):
        here, wanted = (m[name].permute(0, 2, 3, 1)[there] for m in (outputs, targets))
        total = total + F.l1_loss(here, wanted, reduction="sum")
    return total / count


def loss_with(
    encode: Callable[..., dict[str, Tensor]] = encode,
    maps_loss: Callable[..., Tensor] = maps_loss,
) -> Callable[..., Tensor]:
    def batch_loss(model: Any, images: Tensor, boxes: list[Tensor], labels: list[Tensor]) -> Tensor:
        every = [
            encode(b, c, size=tuple(images.shape[-2:])) for b, c in zip(boxes, labels, strict=True)
        ]
        return maps_loss(model(images), {k: torch.stack([t[k] for t in every]) for k in every[0]})

    return batch_loss


def patient(model: nn.Module, **changed: Any) -> Patient:
    rules: dict[str, Any] = {
        "size": SIZE,
        "batch_loss": loss_with(),
        "encode": encode,
        "perfect": perfect,
        "decode": decode,
    }
    return detection_patient(model, **(rules | changed))
