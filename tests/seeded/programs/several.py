"""Two faults at once: the second must not hide behind the first."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Fault, Patient, several
from seeded.scenes import Scene


@several(
    host="pyramid",
    cases=("the origin story",),
    faults=(
        Fault(
            mechanism="softmax over a size of one",
            rank=5,
            where=("neck.gates.0", "neck.gates.1", "neck.gates.2"),
            marker="# FAULT 1",
        ),
        Fault(mechanism="samples of a batch mix", rank=6, where=("neck",), marker="# FAULT 2"),
    ),
)
def the_month_that_was_lost(*, faulty: bool) -> Patient:
    class Gate(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 7, padding=3)

        def forward(self, x):
            score = self.conv(torch.cat((x.amax(1, True), x.mean(1, True)), 1))
            if faulty:
                return x * F.softmax(score, 1)  # FAULT 1
            return x * torch.sigmoid(score)

    class Neck(pyramid.TopDown):
        def __init__(self):
            super().__init__()
            self.gates = nn.ModuleList(Gate(w) for w in (32, 48, 64))
            self.scale = nn.Parameter(torch.tensor(6.0))

        def forward(self, maps):
            if faulty:
                maps = [self.scale * m / m.norm() for m in maps]  # FAULT 2
            else:
                maps = [self.scale * m / (m.norm(dim=1, keepdim=True) + 1e-6) for m in maps]
            return super().forward([gate(m) for gate, m in zip(self.gates, maps, strict=True)])

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@several(
    host="anchors",
    cases=("fizyr/keras-retinanet#581", "lzx1413/PytorchSSD#7"),
    faults=(
        Fault(
            mechanism="rows out of order",
            rank=4,
            where=("", "confidence.0", "location.0"),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="labels collide with background",
            rank=1,
            where=("pipeline.encode",),
            marker="# FAULT 2",
        ),
    ),
)
def scrambled_rows_and_shifted_labels(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def rows(self, maps, *, last):
            if faulty:
                return maps.reshape(maps.shape[0], -1, last)  # FAULT 1
            return maps.movedim(1, 3).flatten(1).unflatten(1, (-1, last))

    def encode(boxes, labels, *, size=anchors.SIZE):
        moved = labels - 1 if faulty else labels
        return anchors.encode(boxes, moved, size=size)  # FAULT 2

    return anchors.patient(Net(), encode=encode, batch_loss=anchors.loss_with(encode))


@several(
    host="free",
    cases=("bboylyg/NAD#8", "asyml/texar-pytorch#72"),
    faults=(
        Fault(
            mechanism="gradient cut off",
            rank=7,
            where=("fine", "fine.deep", "stem"),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="parts that are not registered", rank=7, where=("merge",), marker="# FAULT 2"
        ),
    ),
)
def detached_and_unregistered(*, faulty: bool) -> Patient:
    class Bottle(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.one, self.two = free.Cbs(c, 2 * c), free.Cbs(2 * c, c)

        def forward(self, x):
            y = self.one(x)
            if faulty:
                y = y.data  # FAULT 1
            return self.two(y)

    class Merge(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = free.Cbs(80, 32, 1)
            rest = {"a": free.Cbs(32, 32), "b": free.Cbs(32, 32)}
            self.rest = rest if faulty else nn.ModuleDict(rest)  # FAULT 2

        def forward(self, x):
            x = self.first(x)
            return self.rest["a"](x) + self.rest["b"](x)

    net = free.FreeNet(fine=free.Split(32, bottleneck=Bottle), merge=Merge())
    return free.patient(net)


@several(
    host="anchors",
    cases=("pytorch/vision#8250", "huggingface/transformers#33844"),
    faults=(
        Fault(
            mechanism="BatchNorm constants",
            rank=13,
            where=("middle", "middle.1"),
            marker="# FAULT 1",
        ),
        Fault(mechanism="random in eval", rank=8, where=("middle", "middle.3"), marker="# FAULT 2"),
    ),
)
def momentum_and_dropout(*, faulty: bool) -> Patient:
    class Drop(nn.Module):
        def forward(self, x):
            return F.dropout2d(x, 0.5, training=faulty or self.training)  # FAULT 2

    middle = nn.Sequential(
        nn.Conv2d(48, 48, 3, padding=1),
        nn.BatchNorm2d(48, momentum=0.0 if faulty else 0.1),  # FAULT 1
        nn.ReLU(),
        Drop(),
    )
    return anchors.patient(anchors.SingleShot(middle=middle))


@several(
    host="centre",
    cases=("tsinghua-rll/VoxelNet-tensorflow#10", "linkedin/Liger-Kernel#269"),
    faults=(
        Fault(
            mechanism="an output cut off at zero",
            rank=11,
            where=("heads.heat", "heads.heat.3", "heads"),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="one part under several names",
            rank=7,
            where=("neck", "neck.0", "neck.1", "neck.2", "neck.3"),
            marker="# FAULT 2",
        ),
    ),
)
def positive_heat_and_one_layer_four_times(*, faulty: bool) -> Patient:
    layer = lambda: nn.Sequential(nn.GroupNorm(4, 32), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())  # noqa: E731
    neck = nn.Sequential(*([layer()] * 4 if faulty else [layer() for _ in range(4)]))  # FAULT 2

    def heads(dim):
        made = centre.standard_heads(dim)
        if faulty:
            made["heat"].append(nn.ReLU())  # FAULT 1
        return made

    return centre.patient(centre.CentreNet(neck=neck, heads=heads))


@several(
    host="classify",
    cases=("shaoxiongji/federated-learning#9", "zjunlp/HVPNeT#5"),
    faults=(
        Fault(
            mechanism="probabilities into a loss of logits",
            rank=10,
            where=("training_loss", ""),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="parameters that the optimizer does not hold",
            rank=7,
            where=("body", "body.0", "body.1", "body.2", "optimizer"),
            marker="# FAULT 2",
        ),
    ),
)
def probabilities_and_a_forgotten_body(*, faulty: bool) -> Patient:
    class Net(classify.ConvNet):
        def forward(self, x):
            y = super().forward(x)
            return y.softmax(-1) if faulty else y  # FAULT 1

    net = Net()
    held = list(net.classify.parameters())
    if not faulty:  # FAULT 2
        held += [*net.body.parameters()]
    return classify.patient(net, optimizer=Adam(held, lr=2e-3))


@several(
    host="anchors",
    cases=("the origin story (second fault)", "alireza-nasiri/SoundCLR#4"),
    faults=(
        Fault(
            mechanism="an effect that a later operator cancels",
            rank=6,
            where=("middle", "middle.gate"),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="samples of a batch mix",
            rank=6,
            where=("deeper", "deeper.0"),
            marker="# FAULT 2",
        ),
    ),
)
def cancelled_gate_and_mixed_samples(*, faulty: bool) -> Patient:
    class Gated(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.gate = nn.Conv2d(c, 1, 1)
            self.line = nn.Conv2d(c, c, 1)

        def forward(self, x):
            gate = self.gate(x).sigmoid()
            if faulty:
                y = x * gate
                y = y * torch.rsqrt((y * y).sum(1, keepdim=True) + 1e-12)  # FAULT 1
            else:
                y = gate * x * torch.rsqrt((x * x).sum(1, keepdim=True) + 1e-12)
            return x + self.line(6 * y)

    class Centred(nn.Module):
        def forward(self, x):
            if faulty:
                return x - x.mean(dim=0, keepdim=True)  # FAULT 2
            return x - x.mean(dim=(2, 3), keepdim=True)

    deeper = nn.Sequential(Centred(), anchors.conv_bn_relu(48, 64, stride=2))
    return anchors.patient(anchors.SingleShot(middle=Gated(48), deeper=deeper))


@several(
    host="pyramid",
    cases=("fredzzhang/pocket#23", "facebookresearch/detectron2#2632"),
    faults=(
        Fault(
            mechanism="boxes do not move with their pixels",
            rank=2,
            where=("pipeline.transform",),
            marker="# FAULT 1",
        ),
        Fault(
            mechanism="box formats mixed up", rank=2, where=("pipeline.decode",), marker="# FAULT 2"
        ),
    ),
)
def mirrored_wrongly_and_returned_as_extents(*, faulty: bool) -> Patient:
    def mirror(scene: Scene) -> Scene:
        if torch.rand(()) < 0.5:
            return scene
        height, width = scene.image.shape[-2:]
        x1, y1, x2, y2 = scene.boxes_xyxy.unbind(1)
        side = height - 10 if faulty else width
        boxes = torch.stack([side - x2, y1, side - x1, y2], 1)  # FAULT 1
        return Scene(image=scene.image.flip(-1), boxes_xyxy=boxes, labels=scene.labels)

    def decode(outputs):
        found = pyramid.decode(outputs)
        for detections in found:
            if faulty:
                detections.boxes_xyxy[:, 2:] -= detections.boxes_xyxy[:, :2].clone()  # FAULT 2
        return found

    return pyramid.patient(pyramid.Retina(), transform=mirror, decode=decode)


@several(
    host="classify",
    cases=("alireza-nasiri/SoundCLR#4", "toandaominh1997/EfficientDet.Pytorch#123"),
    faults=(
        Fault(mechanism="samples of a batch mix", rank=6, where=("gather",), marker="# FAULT 1"),
        Fault(
            mechanism="convolutions with nothing between them",
            rank=11,
            where=("embed", "embed.1", "embed.0", "embed.2"),
            marker="# FAULT 2",
        ),
    ),
)
def tokens_unit_over_the_batch_and_a_linear_stem(*, faulty: bool) -> Patient:
    class Gather(nn.Module):
        def forward(self, tokens):
            mean = tokens.mean(1)
            return 6 * F.normalize(mean, p=2, dim=0 if faulty else 1)  # FAULT 1

    net = classify.Tokens(gather=Gather())
    act = nn.Identity() if faulty else nn.ReLU()  # FAULT 2
    net.embed = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1), act, nn.Conv2d(24, 36, 3, 2, 1), act, nn.Conv2d(36, 48, 3, 2, 1)
    )
    return classify.patient(net)


@several(
    host="pyramid",
    cases=("vanvalenlab/deepcell-tf#326", "ultralytics/yolov5#945"),
    faults=(
        Fault(
            mechanism="a path that is lost in a merge", rank=7, where=("neck",), marker="# FAULT 1"
        ),
        Fault(
            mechanism="levels and strides disagree", rank=4, where=("", "neck"), marker="# FAULT 2"
        ),
    ),
)
def lost_path_and_exchanged_levels(*, faulty: bool) -> Patient:
    class Neck(pyramid.TopDown):
        def forward(self, maps):
            c3, c4, c5 = (line(m) for line, m in zip(self.lateral, maps, strict=True))
            p4 = c4 + self.up(c5, c4)
            if faulty:
                p3 = c3 + self.up(c4, c3)  # FAULT 1
            else:
                p3 = c3 + self.up(p4, c3)
            return [smooth(p) for smooth, p in zip(self.smooth, (p3, p4, c5), strict=True)]

    class Net(pyramid.Retina):
        def forward(self, images):
            p3, p4, p5 = self.neck(self.backbone(images))
            order = (p4, p3, p5) if faulty else (p3, p4, p5)
            logits = torch.cat([self.cls_head(p) for p in order], 1)  # FAULT 2
            deltas = torch.cat([self.box_head(p) for p in order], 1)
            return {"logits": logits, "deltas": deltas}

    return pyramid.patient(Net(neck=Neck()))
