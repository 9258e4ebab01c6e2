"""Train and eval, BatchNorm's constants and statistics, averaged weights."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, program


@program(
    host="classify",
    rank=8,
    mechanism="random in eval",
    cases=("huggingface/transformers#33844",),
    where=("layers.0.attn", "layers.1.attn"),
)
def dropout_that_never_sleeps(*, faulty: bool) -> Patient:
    class Dropped(classify.Attention):
        def weigh(self, scores):
            weights = scores.softmax(-1)
            if faulty:
                return F.dropout(weights, 0.5)  # FAULT
            return F.dropout(weights, 0.5, training=self.training)

    return classify.patient(classify.Tokens(attention=lambda dim: Dropped(dim, 4)))


@program(
    host="free",
    rank=8,
    mechanism="random in eval",
    cases=("huggingface/transformers#33844",),
    where=("fine.deep", "fine"),
)
def noise_in_every_forward(*, faulty: bool) -> Patient:
    class Noisy(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.one, self.two = free.Cbs(c, c), free.Cbs(c, c)

        def forward(self, x):
            x = self.one(x)
            if self.training or faulty:  # FAULT
                x = x * (torch.rand(x.shape[0], x.shape[1], 1, 1) > 0.4) / 0.6
            return self.two(x)

    return free.patient(free.FreeNet(fine=free.Split(32, bottleneck=Noisy)))


@program(
    host="anchors",
    rank=8,
    mechanism="batch statistics in eval",
    cases=("pliang279/MultiBench#26", "princeton-vl/pytorch_stacked_hourglass#44"),
    where=("stage2", "stage2.0", "stage2.1", "stage2.0.1", "stage2.1.1", ""),
)
def stage_stays_in_train_mode(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def features(self, x):
            x = self.stage1(self.stem(x))
            if faulty:
                self.stage2.train()  # FAULT
            x = self.stage2(x)
            return [x, self.deeper(x)]

    return anchors.patient(Net())


@program(
    host="pyramid",
    rank=8,
    mechanism="batch statistics in eval",
    cases=("wkentaro/pytorch-fcn#57", "pliang279/MultiBench#26"),
    where=("cls_head.tower.1", "cls_head.tower.4", "cls_head", "cls_head.tower"),
)
def norms_without_running_statistics(*, faulty: bool) -> Patient:
    head = pyramid.Head(pyramid.CLASSES, prior=0.02)
    for i in (1, 4):
        head.tower[i] = nn.BatchNorm2d(32, track_running_stats=not faulty)  # FAULT
    return pyramid.patient(pyramid.Retina(classes=head))


@program(
    host="pyramid",
    rank=8,
    mechanism="statistics move in a frozen part",
    cases=("kdexd/virtex#16", "open-mmlab/mmdetection#560"),
    where=(
        "backbone",
        "backbone.stem",
        "backbone.c2",
        "backbone.c3",
        "backbone.c4",
        "backbone.c5",
        "backbone.stem.1",
    ),
    not_trained="the frozen backbone stands for a trained one; random weights show nothing",
)
def frozen_backbone_drifts(*, faulty: bool) -> Patient:
    class Net(pyramid.Retina):
        def train(self, mode=True):
            super().train(mode)
            if not faulty:  # FAULT
                self.backbone.eval()
            return self

    net = Net()
    net.train()
    net.backbone.requires_grad_(False)
    return pyramid.patient(net)


@program(
    host="anchors",
    rank=8,
    mechanism="averaged weights without their buffers",
    cases=("FlyreelAI/sesemi#36",),
    where=("average", ""),
)
def average_with_stale_statistics(*, faulty: bool) -> Patient:
    class Averaged(nn.Module):
        """Trains `online`; in eval the exponential average of its weights answers."""

        def __init__(self, net):
            super().__init__()
            self.online = net
            self.average = copy.deepcopy(net).requires_grad_(False)

        @torch.no_grad()
        def follow(self):
            for mine, theirs in zip(
                self.average.parameters(), self.online.parameters(), strict=True
            ):
                mine.lerp_(theirs, 0.1)
            if not faulty:  # FAULT
                for mine, theirs in zip(self.average.buffers(), self.online.buffers(), strict=True):
                    mine.copy_(theirs)

        def forward(self, images):
            if not self.training:
                return self.average.eval()(images)
            self.follow()
            return self.online(images)

    return anchors.patient(Averaged(anchors.SingleShot()))


@program(
    host="anchors",
    rank=8,
    mechanism="train and eval compute different things",
    cases=("facebookresearch/clevr-iep#22", "zsef123/EfficientNets-PyTorch#2"),
    where=("middle",),
)
def scaling_in_training_only(*, faulty: bool) -> Patient:
    class Gained(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv = nn.Conv2d(c, c, 3, padding=1)
            self.gain = nn.Parameter(torch.full((1, c, 1, 1), 3.0))

        def forward(self, x):
            y = self.conv(x)
            if faulty and not self.training:
                return x + y  # FAULT
            return x + self.gain * y

    return anchors.patient(anchors.SingleShot(middle=Gained(48)))


@program(
    host="free",
    rank=13,
    mechanism="BatchNorm constants",
    cases=("pytorch/vision#8250", "r9y9/tacotron_pytorch#19"),
    where=("stem.0.bn", "stem.1.bn", "coarse.0.bn", "merge.bn"),
)
def momentum_of_another_library(*, faulty: bool) -> Patient:
    net = free.FreeNet()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.99 if faulty else 0.1  # FAULT
    return free.patient(net)


@program(
    host="anchors",
    rank=13,
    mechanism="BatchNorm constants",
    cases=("Cadene/pretrained-models.pytorch#5",),
    where=("stem.1", "stage1.0.1", "stage1.1.1", "stage2.0.1", "stage2.1.1"),
)
def statistics_that_never_move(*, faulty: bool) -> Patient:
    def block(a, b, s=1):
        norm = nn.BatchNorm2d(b, momentum=0.0 if faulty else 0.1)  # FAULT
        return nn.Sequential(nn.Conv2d(a, b, 3, s, 1, bias=False), norm, nn.ReLU())

    net = anchors.SingleShot(stem=block(3, 16, 2))
    net.stage1 = nn.Sequential(block(16, 24, 2), block(24, 32))
    net.stage2 = nn.Sequential(block(32, 48, 2), block(48, 48))
    return anchors.patient(net)


@program(
    host="classify",
    rank=13,
    mechanism="BatchNorm constants",
    cases=("kazuto1011/deeplab-pytorch#79", "ludwig-ai/ludwig#2100"),
    where=("body.0.1", "body.1.1", "body.2.1"),
)
def epsilon_larger_than_the_signal(*, faulty: bool) -> Patient:
    net = classify.ConvNet()
    for part in net.body:
        part[1] = nn.BatchNorm2d(part[1].num_features, eps=1e3 if faulty else 1e-3)  # FAULT
    return classify.patient(net)


@program(
    host="centre",
    rank=8,
    mechanism="an input is changed in place",
    cases=("pliang279/MultiBench#26",),
    where=("neck", "", "patches"),
)
def buffer_that_grows_with_every_forward(*, faulty: bool) -> Patient:
    class Remember(nn.Module):
        """Subtracts a slow average of what passed, which only training may move."""

        def __init__(self, c):
            super().__init__()
            self.register_buffer("seen", torch.zeros(1, c, 1, 1))
            self.line = nn.Conv2d(c, c, 1)

        def forward(self, x):
            if self.training or faulty:  # FAULT
                self.seen = 0.5 * self.seen + 0.5 * x.detach().mean((0, 2, 3), keepdim=True)
            return x + self.line(x - self.seen)

    return centre.patient(centre.CentreNet(neck=Remember(32)))


@program(
    host="centre",
    rank=8,
    mechanism="an input is changed in place",
    cases=("issue 4 (inputs changed in place)",),
    where=("", "patches", "quarter"),
)
def caller_s_picture_changed_in_place(*, faulty: bool) -> Patient:
    class Net(centre.CentreNet):
        """Standardises each picture itself; the caller keeps the batch for a second view."""

        def forward(self, pixel_values):
            average = pixel_values.mean((1, 2, 3), keepdim=True)
            if faulty:
                pixel_values.sub_(average).mul_(0.5)  # FAULT
            else:
                pixel_values = (pixel_values - average) * 0.5
            return super().forward(pixel_values)

    def batch_loss(model, images, boxes, labels):
        """A first look says how full the picture is; full ones weigh a little more."""
        with torch.no_grad():
            full = model(images)["heat"].sigmoid().mean()
        return centre.loss_with()(model, images, boxes, labels) * (1 + full)

    return centre.patient(Net(), batch_loss=batch_loss)


@program(
    host="pyramid",
    rank=8,
    mechanism="averaged weights without their buffers",
    cases=("FlyreelAI/sesemi#36",),
    where=("", "backbone", "backbone.stem.1", "average", "backbone.stem", "backbone.c2"),
    not_trained="the average stands for one made during a training",
)
def average_beside_with_stale_buffers(*, faulty: bool) -> Patient:
    net = pyramid.Retina()
    average = copy.deepcopy(net).requires_grad_(False)
    patient = pyramid.patient(net)
    assert patient.training_loss
    assert patient.optimizer
    for _ in range(12):
        patient.optimizer.zero_grad()
        patient.training_loss(net, patient.inputs[..., ::2, ::2]).backward()
        patient.optimizer.step()
        with torch.no_grad():
            for mine, theirs in zip(average.parameters(), net.parameters()):
                mine.lerp_(theirs, 0.5)
            for mine, theirs in zip(average.buffers(), net.buffers()):
                if not faulty:
                    mine.copy_(theirs)  # FAULT
    patient.average = average
    return patient
