"""A detector of `transformers`, small and untrained, and the same after seven changes.

Two of them are faulty: a normalisation that runs over the images of the batch, and a gate whose
softmax runs over one number.
"""

import torch
from torch import nn
from transformers import YolosConfig, YolosForObjectDetection

CONFIG = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": [64, 64],
    "patch_size": 16,
    "num_detection_tokens": 10,
    "num_labels": 2,
    "attn_implementation": "eager",
}


class OverTheBatch(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, tokens):
        return tokens * torch.rsqrt(tokens.square().sum() + 1e-12) * self.weight


class Gated(nn.Module):
    """A linear layer, and one weight a token."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.linear, self.gate = nn.Linear(before, after), nn.Linear(after, 1)

    def forward(self, tokens):
        values = self.linear(tokens)
        return values * torch.softmax(self.gate(values), dim=-1)


def good() -> nn.Module:
    return YolosForObjectDetection(YolosConfig(**CONFIG))


def bad() -> nn.Module:
    model = good()
    first, second, third = model.vit.encoder.layer
    first.intermediate.intermediate_act_fn = nn.SiLU()
    first.layernorm_before = nn.LayerNorm(32, eps=1e-6)
    first.output.dropout = nn.Dropout(0.05)
    second.layernorm_after = OverTheBatch(32)
    second.attention.output.dropout = nn.Dropout(0.05)
    third.intermediate.dense = Gated(32, 64)
    model.vit.layernorm = nn.LayerNorm(32, eps=1e-6)
    return model


def loss(model, inputs):
    """Learn by heart where the brightest corner of each picture is."""
    images = inputs["pixel_values"]
    found = model(**inputs)
    target = images.mean(dim=(1, 2, 3)) - 0.5
    boxes = torch.stack([target, -target, target, target], dim=1)[:, None] + 0.5
    return (found.pred_boxes - boxes).abs().mean() + found.logits.square().mean()


def is_sound(model: nn.Module) -> bool:
    """A judge of one's own: does a picture's answer depend on the others beside it?"""
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model.eval()
    with torch.no_grad():
        together, alone = model(images).logits[:1], model(images[:1]).logits
    return bool((together - alone).abs().max() < 1e-3 * alone.std())
