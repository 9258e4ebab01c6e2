"""Two classifiers of pictures with one glyph: convolutions, and tokens with attention."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from seeded.program import BatchLoss, Patient
from seeded.scenes import Scene, draw_scenes, scaled_to_unit

SIZE = (48, 48)
CLASSES = 4


def stage(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True))


class ConvNet(nn.Sequential):
    """Stages, something between them, a pool and a line."""

    def __init__(self, *between: nn.Module, pool: nn.Module | None = None, width: int = 64) -> None:
        super().__init__()
        self.add_module("body", nn.Sequential(stage(3, 24), stage(24, 48), stage(48, width)))
        self.add_module("between", nn.Sequential(*between))
        self.add_module("pool", pool or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        self.add_module("classify", nn.Linear(width, CLASSES))


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def weigh(self, scores: Tensor) -> Tensor:
        return scores.softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = self.weigh(q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, c))


class Layer(nn.Module):
    def __init__(self, dim: int, attention: nn.Module) -> None:
        super().__init__()
        self.ln1, self.attn = nn.LayerNorm(dim), attention
        self.ln2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Tokens(nn.Module):
    """A small vision transformer without a class token: the mean of all tokens is classified."""

    def __init__(
        self,
        *,
        attention: Callable[[int], nn.Module] = lambda dim: Attention(dim, 4),
        dim: int = 48,
        depth: int = 2,
        gather: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Conv2d(3, dim, 4, stride=4), nn.GELU(), nn.Conv2d(dim, dim, 3, stride=2, padding=1)
        )
        self.place = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.layers = nn.ModuleList(Layer(dim, attention(dim)) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.gather = gather
        self.head = nn.Linear(dim, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images)
        x = (x + self.place(x)).flatten(2).transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return self.head(x.mean(1) if self.gather is None else self.gather(x))


def cross_entropy(model: Any, images: Tensor, boxes: list[Tensor], labels: list[Tensor]) -> Tensor:
    return F.cross_entropy(model(images), torch.cat(labels))


def patient(
    model: nn.Module,
    *,
    batch_loss: BatchLoss = cross_entropy,
    preprocess: Callable[[Tensor], Tensor] = scaled_to_unit,
    optimizer: Optimizer | None = None,
    reference: nn.Module | None = None,
    allow: dict[str, str] | None = None,
    decide: Callable[[Any], Tensor] = lambda output: output.argmax(-1),
    size: tuple[int, int] = SIZE,
    num_inputs: int = 6,
    steps: int = 40,
) -> Patient:
    samples = draw_scenes(12, size=size, num_classes=CLASSES, seed=7, most=1)
    inputs = torch.stack([preprocess(s.image) for s in samples[:num_inputs]])

    def training_loss(model: nn.Module, inputs: Tensor) -> Tensor:
        labels = [samples[i % len(samples)].labels for i in range(len(inputs))]
        return batch_loss(model, inputs, [], labels)

    def score(model: nn.Module, scenes: Sequence[Scene]) -> float:
        model.eval()
        with torch.no_grad():
            outputs = model(torch.stack([preprocess(s.image) for s in scenes]))
        return float((decide(outputs) == torch.cat([s.labels for s in scenes])).float().mean())

    return Patient(
        model=model,
        inputs=inputs,
        training_loss=training_loss,
        optimizer=optimizer or AdamW(model.parameters(), lr=2e-3),
        reference=reference,
        allow=allow or {},
        batch_loss=batch_loss,
        scenes=lambda count, seed: draw_scenes(
            count, size=size, num_classes=CLASSES, seed=seed, most=1
        ),
        score=score,
        steps=steps,
    )
