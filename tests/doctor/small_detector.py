"""A small anchor detector whose rows can be laid out rightly or wrongly."""

import torch
from torch import Tensor, nn

SIZE = (96, 128)  # height, width
NUM_ANCHORS = 3
SIDES = (16.0, 24.0, 32.0)


def row_boxes(*, stride: int = 8, height: int = SIZE[0], width: int = SIZE[1]) -> Tensor:
    """Priors in the order row, column, anchor; (rows, 4) xyxy."""
    y = (torch.arange(height // stride) + 0.5) * stride
    x = (torch.arange(width // stride) + 0.5) * stride
    cy, cx = torch.meshgrid(y, x, indexing="ij")
    centres = torch.stack([cx, cy], -1)[:, :, None, :].expand(-1, -1, NUM_ANCHORS, 2)
    half = torch.tensor(SIDES)[:, None] / 2
    return torch.cat([centres - half, centres + half], -1).reshape(-1, 4)


def rightly(outputs: Tensor, k: int) -> Tensor:
    return outputs.permute(0, 2, 3, 1).reshape(len(outputs), -1, k)


def without_permute(outputs: Tensor, k: int) -> Tensor:
    return outputs.view(len(outputs), -1, k)  # FAULT scrambled


def anchors_outside(outputs: Tensor, k: int) -> Tensor:
    b, c, h, w = outputs.shape
    split = outputs.view(b, c // k, k, h, w)
    return split.permute(0, 1, 3, 4, 2).reshape(b, -1, k)  # FAULT anchors outside


def transposed(outputs: Tensor, k: int) -> Tensor:
    return outputs.permute(0, 3, 2, 1).reshape(len(outputs), -1, k)  # FAULT transposed


def mirrored(outputs: Tensor, k: int) -> Tensor:
    return rightly(outputs.flip(-1), k)


class SmallDetector(nn.Module):
    """Two outputs: (b, rows, 4) deltas and (b, rows, 5) logits, on a map of stride 8."""

    def __init__(self, *, reg=rightly, cls=rightly) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 24), (24, 32)):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers)
        self.reg_head = nn.Conv2d(32, NUM_ANCHORS * 4, 3, padding=1)
        self.cls_head = nn.Conv2d(32, NUM_ANCHORS * 5, 3, padding=1)
        self.reg = reg
        self.cls = cls

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.body(images)
        return {
            "deltas": self.reg(self.reg_head(features), 4),
            "logits": self.cls(self.cls_head(features), 5),
        }


class Overlooking(SmallDetector):
    """The same with a deep path that sees the whole image, and that every row hears loudest."""

    def __init__(self, *, reg=rightly, cls=rightly) -> None:
        super().__init__(reg=reg, cls=cls)
        self.deep = nn.Sequential(nn.Conv2d(32, 32, 1), nn.ReLU(), nn.Conv2d(32, 32, 1))
        self.local = nn.Conv2d(32, 32, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.body(images)
        everywhere = 60 * self.deep(features.mean((2, 3), keepdim=True))
        features = self.local(features) + everywhere
        return {
            "deltas": self.reg(self.reg_head(features), 4),
            "logits": self.cls(self.cls_head(features), 5),
        }
