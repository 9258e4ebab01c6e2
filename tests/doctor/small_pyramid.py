"""A small feature pyramid whose top-down way can be right or wrong."""

from collections.abc import Callable
import itertools

from torch import Tensor, nn
import torch.nn.functional as F

Upsample = Callable[[Tensor, Tensor], Tensor]


def nearest(top: Tensor, lateral: Tensor) -> Tensor:
    return F.interpolate(top, size=lateral.shape[-2:])


def bilinear(top: Tensor, lateral: Tensor) -> Tensor:
    return F.interpolate(top, size=lateral.shape[-2:], mode="bilinear")


def corners(top: Tensor, lateral: Tensor) -> Tensor:
    return F.interpolate(top, size=lateral.shape[-2:], mode="bilinear", align_corners=True)


def mirrored(top: Tensor, lateral: Tensor) -> Tensor:
    return nearest(top, lateral).flip(-1)


def turned(top: Tensor, lateral: Tensor) -> Tensor:
    return nearest(top, lateral).transpose(-1, -2)


def rolled(top: Tensor, lateral: Tensor) -> Tensor:
    return nearest(top, lateral).roll(4, -1)


def padded(top: Tensor, lateral: Tensor) -> Tensor:
    h, w = lateral.shape[-2:]
    return F.pad(top, (0, w - top.shape[-1], 0, h - top.shape[-2]))


class SmallPyramid(nn.Module):
    def __init__(self, upsample: Upsample = nearest) -> None:
        super().__init__()
        widths = (3, 8, 16, 24)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in itertools.pairwise(widths)
        )
        self.lateral = nn.Conv2d(16, 24, 1)
        self.upsample = upsample
        self.head = nn.Conv2d(24, 6, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features = images
        levels: list[Tensor] = []
        for stage in self.body:
            features = stage(features)
            levels.append(features)
        lateral = self.lateral(levels[1])
        return self.head(lateral + self.upsample(levels[2], lateral))
