"""Small pictures with glyphs that have no symmetry: a flip, a swap of axes or of colours shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

GLYPHS = (
    ("###", "#..", "##.", "#..", "#.."),
    ("####.", "...#.", "..##.", ".#..#"),
    ("#....", "##..#", "#####"),
    ("#..#", ".##.", "###.", "..#."),
)
"""Class by class: taller than wide, nearly square, wider than tall, square."""

COLOURS = ((0.95, 0.55, 0.1), (0.15, 0.35, 0.95), (0.2, 0.85, 0.3), (0.9, 0.2, 0.75))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`image` (3, H, W) uint8 RGB; `boxes_xyxy` (n, 4) float pixels; `labels` (n,) int64 from 0."""

    image: Tensor
    boxes_xyxy: Tensor
    labels: Tensor


def draw_scenes(
    count: int, *, size: tuple[int, int], num_classes: int = 3, seed: int = 0, most: int = 3
) -> list[Scene]:
    """`count` scenes of `size` (height, width) with 1 to `most` glyphs that do not overlap."""
    random = torch.Generator().manual_seed(seed)
    return [_draw(size, num_classes, most, random) for _ in range(count)]


def _draw(size: tuple[int, int], num_classes: int, most: int, random: torch.Generator) -> Scene:
    height, width = size
    coarse = torch.rand(1, 3, 4, 4, generator=random) * 0.5
    image = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)[0]
    image = image + 0.04 * torch.randn(3, height, width, generator=random)
    boxes: list[list[float]] = []
    labels: list[int] = []
    wanted = int(torch.randint(1, most + 1, (), generator=random))
    for _ in range(20):
        if len(boxes) == wanted:
            break
        label = int(torch.randint(num_classes, (), generator=random))
        glyph = torch.tensor([[c == "#" for c in row] for row in GLYPHS[label]]).float()
        unit = 3.2 + 3.2 * float(torch.rand((), generator=random))
        h, w = round(glyph.shape[0] * unit), round(glyph.shape[1] * unit)
        y = int(torch.randint(1, height - h, (), generator=random))
        x = int(torch.randint(1, width - w, (), generator=random))
        if any(
            x < b[2] + 2 and b[0] < x + w + 2 and y < b[3] + 2 and b[1] < y + h + 2 for b in boxes
        ):
            continue
        mask = F.interpolate(glyph[None, None], size=(h, w), mode="nearest")[0]
        shade = 0.8 + 0.2 * torch.rand((), generator=random)
        colour = torch.tensor(COLOURS[label])[:, None, None] * shade
        patch = image[:, y : y + h, x : x + w]
        image[:, y : y + h, x : x + w] = torch.where(mask > 0, colour, patch)
        boxes.append([x, y, x + w, y + h])
        labels.append(label)
    return Scene(
        image=(image.clamp(0, 1) * 255).round().to(torch.uint8),
        boxes_xyxy=torch.tensor(boxes).float().reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
    )


def scaled_to_unit(image: Tensor) -> Tensor:
    """(3, H, W) uint8 -> float, mean 0 and about one wide."""
    return (image.float() / 255 - 0.35) / 0.25


def flip_half(scene: Scene) -> Scene:
    """Mirrors a scene left to right, boxes with it, one time in two."""
    if torch.rand(()) < 0.5:
        return scene
    width = scene.image.shape[-1]
    x1, y1, x2, y2 = scene.boxes_xyxy.unbind(1)
    boxes = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return Scene(image=scene.image.flip(-1), boxes_xyxy=boxes, labels=scene.labels)


def targets_like(
    scenes: Sequence[Scene], count: int, size: tuple[int, int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Boxes and labels of the first `count` scenes (again from the first), stretched to `size`."""
    height, width = scenes[0].image.shape[1:]
    scale = torch.tensor([size[1] / width, size[0] / height] * 2)
    chosen = [scenes[i % len(scenes)] for i in range(count)]
    return [s.boxes_xyxy * scale for s in chosen], [s.labels for s in chosen]
