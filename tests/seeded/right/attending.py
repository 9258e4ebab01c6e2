"""Attention, gates and softmax where they are right."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, look_alike


@look_alike(likes="gate squashed by its own size")
def squeeze_and_excitation() -> Patient:
    class Squeeze(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.fc = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(c, c // 4, 1),
                nn.ReLU(),
                nn.Conv2d(c // 4, c, 1),
                nn.Sigmoid(),
            )

        def forward(self, x):
            return x * self.fc(x)

    return anchors.patient(anchors.SingleShot(middle=Squeeze(48)))


@look_alike(likes="gate squashed by its own size")
def global_context_block() -> Patient:
    class Context(nn.Module):
        """Softmax over all places gathers one vector, which is added everywhere."""

        def __init__(self, c):
            super().__init__()
            self.mask = nn.Conv2d(c, 1, 1)
            self.change = nn.Sequential(
                nn.Conv2d(c, c // 2, 1), nn.GroupNorm(1, c // 2), nn.ReLU(), nn.Conv2d(c // 2, c, 1)
            )

        def forward(self, x):
            weight = self.mask(x).flatten(2).softmax(-1)
            gathered = (x.flatten(2) @ weight.transpose(1, 2))[..., None]
            return x + self.change(gathered)

    return pyramid.patient(
        pyramid.Retina(neck=nn.Sequential(pyramid.TopDown(), EachOf(Context(32))))
    )


class EachOf(nn.Module):
    """One module for all maps of a pyramid."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, maps):
        return [self.module(m) for m in maps]


@look_alike(likes="softmax over the wrong axis")
def soft_argmax_of_a_map() -> Patient:
    class Places(nn.Module):
        """Where each channel's mass lies: two numbers a channel."""

        def __init__(self, c):
            super().__init__()
            self.back = nn.Linear(2 * c, 64)

        def forward(self, x):
            n, c, h, w = x.shape
            mass = x.flatten(2).softmax(-1).view(n, c, h, w)
            ys = (mass.sum(3) * torch.linspace(-1, 1, h)).sum(2)
            xs = (mass.sum(2) * torch.linspace(-1, 1, w)).sum(2)
            return self.back(torch.cat((xs, ys), 1)) + x.mean((2, 3))

    return classify.patient(classify.ConvNet(pool=Places(64)))


@look_alike(likes="softmax over a size of one")
def softmax_over_branches() -> Patient:
    class Selective(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.branches = nn.ModuleList(
                nn.Conv2d(c, c, 3, padding=d, dilation=d, groups=8) for d in (1, 2)
            )
            self.choose = nn.Linear(c, 2 * c)

        def forward(self, x):
            seen = torch.stack([branch(x) for branch in self.branches], 1)
            choice = self.choose(seen.sum(1).mean((2, 3))).unflatten(1, (2, -1)).softmax(1)
            return (seen * choice[..., None, None]).sum(1)

    return anchors.patient(anchors.SingleShot(middle=Selective(48)))


@look_alike(likes="softmax over a size of one")
def attention_to_a_sequence_that_is_short_here() -> Patient:
    """Queries look at a pooled map: one key for small pictures, more for larger ones."""

    class Look(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.q, self.kv = nn.Linear(c, c), nn.Linear(c, 2 * c)

        def forward(self, x):
            n, c, h, w = x.shape
            keys = F.avg_pool2d(x, 6, ceil_mode=False) if min(h, w) >= 6 else x
            k, v = self.kv(keys.flatten(2).transpose(1, 2)).chunk(2, -1)
            q = self.q(x.flatten(2).transpose(1, 2))
            y = F.scaled_dot_product_attention(q, k, v)
            return x + y.transpose(1, 2).reshape(n, c, h, w)

    patient = classify.patient(classify.ConvNet(Look(64)), size=(96, 96))
    patient.inputs = patient.inputs[..., ::2, ::2]
    return patient


@look_alike(likes="attention over the wrong axis")
def attention_between_channels() -> Patient:
    """Cross-covariance attention: channels look at channels, normalised over places."""

    class Across(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.qkv = nn.Conv2d(c, 3 * c, 1)
            self.heat = nn.Parameter(torch.ones(1))
            self.out = nn.Conv2d(c, c, 1)

        def forward(self, x):
            q, k, v = self.qkv(x).flatten(2).chunk(3, 1)
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
            share = (q @ k.transpose(1, 2) * self.heat).softmax(-1)
            return x + self.out((share @ v).unflatten(2, tuple(x.shape[2:])))

    return centre.patient(centre.CentreNet(neck=Across(32)))


@look_alike(likes="attention over the wrong axis")
def one_head_of_attention() -> Patient:
    return classify.patient(classify.Tokens(attention=lambda dim: classify.Attention(dim, 1)))


@look_alike(likes="attention over the wrong axis")
def sequence_first_attention() -> Patient:
    class Classic(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.core = nn.MultiheadAttention(dim, 3)

        def forward(self, x):
            turned = x.transpose(0, 1)
            return self.core(turned, turned, turned)[0].transpose(0, 1)

    return classify.patient(classify.Tokens(attention=Classic))


@look_alike(likes="attention over the wrong axis")
def linear_attention() -> Patient:
    """Keys are normalised over places and queries over channels, as the method has it."""

    class Efficient(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            context = k.softmax(1).transpose(1, 2) @ v
            return self.out(q.softmax(-1) @ context)

    return classify.patient(classify.Tokens(attention=Efficient))


@look_alike(likes="softmax over a size of one")
def mixture_of_experts() -> Patient:
    class Experts(nn.Module):
        def __init__(self, c, experts=3):
            super().__init__()
            self.router = nn.Linear(c, experts)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(c, c), nn.GELU(), nn.Linear(c, c)) for _ in range(experts)
            )

        def forward(self, x):
            share = self.router(x).softmax(-1)
            best, index = share.topk(2, dim=-1)
            kept = torch.zeros_like(share).scatter(-1, index, best)
            made = torch.stack([expert(x) for expert in self.experts], -1)
            return (made * kept.unsqueeze(-2)).sum(-1)

    net = classify.Tokens()
    for layer in net.layers:
        layer.mlp = Experts(48)
    return classify.patient(net)


@look_alike(likes="rows out of order")
def queries_that_stand_for_no_place() -> Patient:
    """A decoder with learnt queries: the first four are the classes' scores."""

    class Queries(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.queries = nn.Parameter(torch.randn(1, 5, dim) * 0.3)
            self.look = nn.MultiheadAttention(dim, 4, batch_first=True)
            self.norm = nn.LayerNorm(dim)

        def forward(self, tokens):
            asked = self.queries.expand(len(tokens), -1, -1)
            return self.norm(asked + self.look(asked, tokens, tokens)[0]).mean(1)

    return classify.patient(classify.Tokens(gather=Queries(48)))


@look_alike(likes="an effect that a later operator cancels")
def spatial_gate_with_a_residual() -> Patient:
    class Spatial(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 7, padding=3)

        def forward(self, x):
            seen = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
            return x + x * self.conv(seen).sigmoid()

    return free.patient(free.FreeNet(merge=nn.Sequential(free.Cbs(80, 32, 1), Spatial())))


@look_alike(likes="parameters that never change")
def residual_gates_that_begin_at_zero() -> Patient:
    class Zero(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c), nn.ReLU())
            self.alpha = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x + self.alpha * self.body(x)

    return anchors.patient(anchors.SingleShot(middle=Zero(48)))


@look_alike(likes="softmax over a size of one")
def sharpened_by_a_temperature() -> Patient:
    class Cosine(nn.Module):
        """Cosine similarity with one prototype a class, times a learnt temperature."""

        def __init__(self):
            super().__init__()
            self.prototypes = nn.Parameter(torch.randn(classify.CLASSES, 64))
            self.log_heat = nn.Parameter(torch.tensor(2.0))

        def forward(self, x):
            alike = F.normalize(x, dim=-1) @ F.normalize(self.prototypes, dim=-1).T
            return alike * self.log_heat.exp()

    net = classify.ConvNet()
    net.classify = Cosine()
    return classify.patient(net)
