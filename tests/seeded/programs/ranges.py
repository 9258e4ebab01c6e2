"""Outputs that cannot take the values they need, and convolutions with nothing between them."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, program


@program(
    host="anchors",
    rank=11,
    mechanism="an output cut off at zero",
    cases=("tsinghua-rll/VoxelNet-tensorflow#10",),
    where=("location.0", "location.1", "location.0.1", "location.1.1", ""),
)
def deltas_through_a_relu(*, faulty: bool) -> Patient:
    net = anchors.SingleShot()
    if faulty:
        net.location = nn.ModuleList(nn.Sequential(c, nn.ReLU()) for c in net.location)  # FAULT
    return anchors.patient(net)


@program(
    host="pyramid",
    rank=11,
    mechanism="an output cut off at zero",
    cases=("carpedm20/visual-analogy-tensorflow#1", "tsinghua-rll/VoxelNet-tensorflow#10"),
    where=("box_head", "box_head.predict"),
)
def block_with_its_activation_as_the_output(*, faulty: bool) -> Patient:
    class Head(pyramid.Head):
        def forward(self, x):
            y = self.predict(self.tower(x))
            if faulty:
                y = F.relu(y)  # FAULT
            n, _, h, w = y.shape
            return y.reshape(n, 2, 4, h, w).permute(0, 3, 4, 1, 2).flatten(1, 3)

    return pyramid.patient(pyramid.Retina(boxes=Head(4)))


@program(
    host="pyramid",
    rank=11,
    mechanism="convolutions with nothing between them",
    cases=("toandaominh1997/EfficientDet.Pytorch#123",),
    where=("cls_head", "box_head"),
)
def activation_built_and_never_called(*, faulty: bool) -> Patient:
    class Head(nn.Module):
        def __init__(self, outputs, bias=0.0):
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
            self.act = nn.ReLU()
            self.out = nn.Conv2d(32, outputs * 2, 3, padding=1)
            nn.init.normal_(self.out.weight, std=0.01)
            nn.init.constant_(self.out.bias, bias)
            self.outputs = outputs

        def forward(self, x):
            for conv in self.convs:
                x = conv(x) if faulty else self.act(conv(x))  # FAULT
            y = self.out(x).permute(0, 2, 3, 1)
            return y.reshape(len(y), -1, self.outputs)

    return pyramid.patient(pyramid.Retina(classes=Head(3, -3.9), boxes=Head(4)))


@program(
    host="anchors",
    rank=11,
    mechanism="convolutions with nothing between them",
    cases=("donnyyou/torchcv#7",),
    where=("deeper", "deeper.0", "deeper.1", "stage2"),
)
def extra_layers_without_activation(*, faulty: bool) -> Patient:
    def line(a, b, s=1):
        conv = nn.Conv2d(a, b, 3, s, 1)
        return [conv] if faulty else [conv, nn.ReLU()]  # FAULT

    net = anchors.SingleShot()
    net.stage2 = nn.Sequential(*line(32, 48, 2), *line(48, 48))
    net.deeper = nn.Sequential(*line(48, 64), *line(64, 64, 2))
    return anchors.patient(net)


@program(
    host="free",
    rank=11,
    mechanism="convolutions with nothing between them",
    cases=("donnyyou/torchcv#7", "toandaominh1997/EfficientDet.Pytorch#123"),
    where=("stem", "stem.0", "stem.1", "fine", "coarse", "merge", ""),
)
def whole_trunk_linear(*, faulty: bool) -> Patient:
    def unit(a, b, k=3, s=1):
        return free.Cbs(a, b, k, s, act=not faulty)  # FAULT

    def deep(c):
        return nn.Sequential(unit(c, c), unit(c, c))

    def split(c):
        made = free.Split(c, bottleneck=deep)
        made.enter, made.leave = unit(c, c, 1), unit(c // 2 * 3, c, 1)
        return made

    net = free.FreeNet(
        stem=nn.Sequential(unit(3, 16, 3, 2), unit(16, 32, 3, 2)),
        fine=split(32),
        coarse=nn.Sequential(unit(32, 48, 3, 2), split(48)),
        merge=unit(80, 32, 1),
    )
    for head in net.heads:
        head.box[0], head.cls[0] = (
            unit(head.box[0].conv.in_channels, 32),
            unit(head.cls[0].conv.in_channels, 32),
        )
    return free.patient(net)


@program(
    host="centre",
    rank=11,
    mechanism="a gate without bounds",
    cases=("Peachypie98/CBAM#2",),
    where=("neck",),
)
def sigmoid_forgotten_on_the_gate(*, faulty: bool) -> Patient:
    class Spatial(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 1, 7, padding=3)

        def forward(self, x):
            gate = self.conv(torch.stack((x.mean(1), x.max(1).values), 1))
            if not faulty:
                gate = gate.sigmoid()
            return x * gate  # FAULT

    return centre.patient(centre.CentreNet(neck=Spatial()))


@program(
    host="classify",
    rank=11,
    mechanism="an output cut off at zero",
    cases=("carpedm20/visual-analogy-tensorflow#1",),
    where=("classify", "classify.1", ""),
)
def numbers_below_zero_out_of_reach(*, faulty: bool) -> Patient:
    """Regresses the class's number, which is centred at zero."""
    net = classify.ConvNet()
    net.classify = nn.Linear(64, 1)
    if faulty:
        net.classify = nn.Sequential(net.classify, nn.ReLU())  # FAULT

    def batch_loss(model, images, boxes, labels):
        return F.mse_loss(model(images)[:, 0], torch.cat(labels) - 1.5)

    return classify.patient(
        net, batch_loss=batch_loss, decide=lambda out: (out[:, 0] + 1.5).round().long()
    )


@program(
    host="centre",
    rank=11,
    mechanism="an output that cannot reach its range",
    cases=("tsinghua-rll/VoxelNet-tensorflow#10", "Peachypie98/CBAM#2"),
    where=("heads.size", "heads", "heads.size.3"),
)
def sizes_squeezed_into_one(*, faulty: bool) -> Patient:
    def heads(dim):
        made = centre.standard_heads(dim)
        if faulty:
            made["size"].append(nn.Sigmoid())  # FAULT
        return made

    return centre.patient(centre.CentreNet(heads=heads))


@program(
    host="anchors",
    rank=11,
    mechanism="units that are dead",
    cases=("tsinghua-rll/VoxelNet-tensorflow#10",),
    where=("middle", "middle.0", "middle.1", "middle.2"),
)
def bias_that_kills_every_unit(*, faulty: bool) -> Patient:
    first, second = nn.Conv2d(48, 48, 3, padding=1), nn.Conv2d(48, 48, 3, padding=1)
    nn.init.constant_(first.bias, -30.0 if faulty else 0.1)  # FAULT
    middle = nn.Sequential(first, nn.ReLU(), second)
    return anchors.patient(anchors.SingleShot(middle=middle))
