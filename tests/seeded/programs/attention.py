"""Attention and normalisation along an axis that was not meant."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, program


@program(
    host="anchors",
    rank=5,
    mechanism="softmax over a size of one",
    cases=("DEEP-PolyU/KEQA_WSDM19#2", "the origin story"),
    where=("middle",),
)
def spatial_gate_over_its_only_channel(*, faulty: bool) -> Patient:
    class Gate(nn.Module):
        def __init__(self, c: int) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(2, 1, 7, padding=3)
            self.mix = nn.Conv2d(c, c, 1)

        def forward(self, x):
            seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
            score = self.squeeze(seen)
            if faulty:
                gate = torch.softmax(score, dim=1)  # FAULT
            else:
                gate = torch.sigmoid(score)
            return self.mix(x * gate)

    return anchors.patient(anchors.SingleShot(middle=Gate(48)))


@program(
    host="classify",
    rank=5,
    mechanism="softmax over a size of one",
    cases=("phanideepgampa/stacked-capsule-networks#5", "catalyst-team/catalyst#285"),
    where=("gather", "gather.attend"),
)
def pooled_tokens_with_equal_weights(*, faulty: bool) -> Patient:
    class Pool(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.query = nn.Linear(dim, 1)
            self.attend = nn.Softmax(dim=2 if faulty else 1)  # FAULT

        def forward(self, tokens):
            weights = self.attend(self.query(tokens))
            return (tokens * weights).sum(1) / weights.sum(1)

    return classify.patient(classify.Tokens(gather=Pool(48)))


@program(
    host="free",
    rank=5,
    mechanism="softmax over a size of one",
    cases=("StackOverflow 59129802",),
    where=("heads.0", "heads.1", "heads.0.score", "heads.1.score"),
)
def objectness_as_one_probability(*, faulty: bool) -> Patient:
    class Scored(nn.Module):
        """Classes weighed by how likely an object is at all."""

        def __init__(self, c):
            super().__init__()
            self.box = nn.Conv2d(c, 4 * free.BINS, 3, padding=1)
            self.cls = nn.Conv2d(c, free.CLASSES, 3, padding=1)
            self.score = nn.Conv2d(c, 1, 1)
            nn.init.constant_(self.cls.bias, -3.0)

        def forward(self, x):
            b, _, h, w = x.shape
            raw = self.score(x).reshape(b, 1, h * w)
            if faulty:
                object_ = F.softmax(raw, 1)  # FAULT
            else:
                object_ = raw.sigmoid()
            kind = self.cls(x).flatten(2)
            return torch.cat([self.box(x).flatten(2), kind + object_.clamp(1e-4).log()], 1)

    return free.patient(free.FreeNet(heads=[Scored(32), Scored(48)]))


@program(
    host="pyramid",
    rank=5,
    mechanism="normalisation over a size of one",
    cases=("gjylt/DoubleAttentionNet#3", "catalyst-team/catalyst#285"),
    where=("neck", "neck.excite"),
)
def excitation_normalised_to_nothing(*, faulty: bool) -> Patient:
    class Neck(pyramid.TopDown):
        def __init__(self) -> None:
            super().__init__()
            self.excite = nn.Conv2d(64, 64, 1)

        def forward(self, maps):
            c3, c4, c5 = maps
            gate = self.excite(c5.mean((2, 3), keepdim=True))
            if faulty:
                spread, middle = torch.var_mean(gate, (2, 3), correction=0, keepdim=True)  # FAULT
            else:
                spread, middle = torch.var_mean(gate, 1, correction=0, keepdim=True)
            gate = (gate - middle) / (spread + 1e-5).sqrt()
            return super().forward([c3, c4, c5 * gate.sigmoid()])

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="anchors",
    rank=6,
    mechanism="samples of a batch mix",
    cases=("the origin story", "apache/mxnet#3031"),
    where=("middle",),
)
def unit_length_over_everything(*, faulty: bool) -> Patient:
    class Unit(nn.Module):
        def __init__(self, channels: int, scale: float = 10.0) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.full((channels,), scale))

        def forward(self, x):
            if faulty:
                length = x.pow(2).sum().sqrt()  # FAULT
            else:
                length = x.pow(2).sum(1, keepdim=True).sqrt()
            return x / (length + 1e-6) * self.scale.view(1, -1, 1, 1)

    return anchors.patient(anchors.SingleShot(middle=Unit(48)))


@program(
    host="pyramid",
    rank=6,
    mechanism="samples of a batch mix",
    cases=("alireza-nasiri/SoundCLR#4",),
    where=("neck",),
)
def maps_normalised_across_pictures(*, faulty: bool) -> Patient:
    class Normalised(pyramid.TopDown):
        def forward(self, maps):
            axis = 0 if faulty else 1
            return [
                4 * F.normalize(m, dim=axis)  # FAULT
                for m in super().forward(maps)
            ]

    return pyramid.patient(pyramid.Retina(neck=Normalised()))


@program(
    host="classify",
    rank=6,
    mechanism="samples of a batch mix",
    cases=("PetrochukM/PyTorch-NLP#2", "Jingkang50/OpenPSG#56"),
    where=("layers.0.attn", "layers.1.attn", "layers.0.attn.core", "layers.1.attn.core"),
)
def attention_from_picture_to_picture(*, faulty: bool) -> Patient:
    class Torch(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.core = nn.MultiheadAttention(dim, 4, batch_first=not faulty)  # FAULT

        def forward(self, x):
            return self.core(x, x, x, need_weights=False)[0]

    return classify.patient(classify.Tokens(attention=Torch))


@program(
    host="centre",
    rank=6,
    mechanism="samples of a batch mix",
    cases=("PetrochukM/PyTorch-NLP#2",),
    where=("neck",),
)
def context_weighed_over_the_batch(*, faulty: bool) -> Patient:
    class Context(nn.Module):
        """One vector for each picture, gathered where the map says, added everywhere."""

        def __init__(self, c):
            super().__init__()
            self.where, self.change = nn.Conv2d(c, 1, 1), nn.Linear(c, c)

        def forward(self, x):
            weight = self.where(x).flatten(1)
            weight = weight.softmax(dim=0 if faulty else 1)  # FAULT
            gathered = torch.einsum("bcp,bp->bc", x.flatten(2), weight)
            return x + self.change(gathered)[..., None, None]

    return centre.patient(centre.CentreNet(neck=Context(32)))


@program(
    host="classify",
    rank=6,
    mechanism="attention over the wrong axis",
    cases=("nerminnuraydogan/vision-transformer#1",),
    where=("layers.0.attn", "layers.1.attn"),
)
def softmax_over_the_queries(*, faulty: bool) -> Patient:
    class Crossed(classify.Attention):
        def weigh(self, scores):
            if faulty:
                return scores.softmax(dim=-2)  # FAULT
            return scores.softmax(dim=-1)

    return classify.patient(classify.Tokens(attention=lambda dim: Crossed(dim, 4)))


@program(
    host="classify",
    rank=6,
    mechanism="attention over the wrong axis",
    cases=("nerminnuraydogan/vision-transformer#1", "FudanNLP/fastNLP#254"),
    where=("layers.0.attn", "layers.1.attn"),
)
def softmax_over_the_heads(*, faulty: bool) -> Patient:
    class FixedAxis(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x):
            q, k, v = (f(x).unflatten(2, (4, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
            scores = torch.matmul(q, k.mT) / q.shape[-1] ** 0.5
            share = F.softmax(scores, dim=1 if faulty else 3)  # FAULT
            return torch.matmul(share, v).transpose(1, 2).flatten(2)

    return classify.patient(classify.Tokens(attention=FixedAxis))


@program(
    host="free",
    rank=6,
    mechanism="softmax over the wrong axis",
    cases=("FudanNLP/fastNLP#254",),
    where=("pipeline.decode",),
)
def distribution_over_the_sides(*, faulty: bool) -> Patient:
    def expected(box):
        spread = box.reshape(box.shape[0], 4, free.BINS, -1)
        spread = spread.softmax(1 if faulty else 2)  # FAULT
        return (spread * torch.arange(free.BINS)[:, None]).sum(2).transpose(1, 2)

    def decode(outputs):
        box, cls = outputs.split((4 * free.BINS, free.CLASSES), 1)
        boxes = free.to_boxes(expected(box))
        return [free.suppress(b, *c.max(0)) for b, c in zip(boxes, cls.sigmoid(), strict=True)]

    return free.patient(free.FreeNet(), decode=decode)


@program(
    host="classify",
    rank=6,
    mechanism="normalisation over the wrong axis",
    cases=("gabeur/mmt#1", "KunpengLi1994/VSRN#7", "xmed-lab/CLIP_Surgery#35"),
    where=("gather",),
)
def tokens_normalised_over_positions(*, faulty: bool) -> Patient:
    class Mean(nn.Module):
        def forward(self, tokens):
            if faulty:
                tokens = F.normalize(tokens)  # FAULT
            else:
                tokens = F.normalize(tokens, dim=-1)
            return tokens.mean(1) * 8

    return classify.patient(classify.Tokens(gather=Mean()))


@program(
    host="centre",
    rank=6,
    mechanism="gate squashed by its own size",
    cases=("the origin story", "gjylt/DoubleAttentionNet#3"),
    where=("neck",),
)
def gate_that_sums_to_one_over_the_map(*, faulty: bool) -> Patient:
    class Saliency(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.look = nn.Conv2d(c, 1, 5, padding=2)

        def forward(self, x):
            logits = self.look(x)
            if faulty:
                b, _, h, w = logits.shape
                mask = logits.view(b, -1).softmax(-1).view(b, 1, h, w)  # FAULT
            else:
                mask = logits.sigmoid()
            return mask * x

    return centre.patient(centre.CentreNet(neck=Saliency(32)))


@program(
    host="anchors",
    rank=6,
    mechanism="an effect that a later operator cancels",
    cases=("the origin story (second fault)",),
    where=("middle", "middle.spatial", "middle.unit"),
)
def gate_before_a_unit_length(*, faulty: bool) -> Patient:
    class Unit(nn.Module):
        def forward(self, x):
            return 8 * F.normalize(x, dim=1)

    class Spatial(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.ask = nn.Conv2d(c, 1, 3, padding=1)

        def forward(self, x):
            return x * torch.sigmoid(self.ask(x))

    class Middle(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.spatial, self.unit = Spatial(c), Unit()

        def forward(self, x):
            if faulty:
                return self.unit(self.spatial(x))  # FAULT
            return self.spatial(self.unit(x))

    return anchors.patient(anchors.SingleShot(middle=Middle(48)))


@program(
    host="pyramid",
    rank=6,
    mechanism="samples of a batch mix",
    cases=("Jingkang50/OpenPSG#56", "zamanzadeh/CARLA#16"),
    where=("neck.relate", "neck"),
)
def view_that_mixes_pictures(*, faulty: bool) -> Patient:
    class Relate(nn.Module):
        """Self-attention on the coarsest map, positions first."""

        def __init__(self, c):
            super().__init__()
            self.attend = nn.MultiheadAttention(c, 2)

        def forward(self, x):
            n, c, h, w = x.shape
            if faulty:
                tokens = x.flatten(2).transpose(1, 2).reshape(h * w, n, c)  # FAULT
            else:
                tokens = x.flatten(2).permute(2, 0, 1)
            tokens = tokens + self.attend(tokens, tokens, tokens)[0]
            return tokens.permute(1, 2, 0).reshape(n, c, h, w)

    class Neck(pyramid.TopDown):
        def __init__(self):
            super().__init__()
            self.relate = Relate(64)

        def forward(self, maps):
            return super().forward([*maps[:-1], self.relate(maps[-1])])

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="anchors",
    rank=7,
    mechanism="a computed value that nothing uses",
    cases=("MenghaoGuo/Awesome-Vision-Attentions#32",),
    where=("middle", "middle.squeeze"),
)
def average_pooled_twice(*, faulty: bool) -> Patient:
    class Channels(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.squeeze = nn.Sequential(
                nn.Conv2d(c, c // 4, 1), nn.ReLU(), nn.Conv2d(c // 4, c, 1)
            )

        def forward(self, x):
            average = self.squeeze(F.adaptive_avg_pool2d(x, 1))
            largest = self.squeeze(F.adaptive_max_pool2d(x, 1))
            both = average + (average if faulty else largest)  # FAULT
            return x * both.sigmoid()

    return anchors.patient(anchors.SingleShot(middle=Channels(48)))
