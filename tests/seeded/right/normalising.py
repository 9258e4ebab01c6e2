"""Normalisation along axes that look wrong and are meant."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, look_alike


@look_alike(likes="samples of a batch mix")
def group_norm_everywhere() -> Patient:
    net = anchors.SingleShot()
    for stage in (net.stem, *net.stage1, *net.stage2, *net.deeper):
        stage[1] = nn.GroupNorm(8, stage[1].num_features)
    return anchors.patient(net)


@look_alike(likes="normalisation over the wrong axis")
def layer_norm_over_channels_and_places() -> Patient:
    class Whole(nn.Module):
        """Normalises a picture's whole map, whatever its size."""

        def forward(self, x):
            return F.layer_norm(x, x.shape[1:])

    return anchors.patient(anchors.SingleShot(middle=Whole()))


@look_alike(likes="normalisation over a size of one")
def instance_norm_in_the_body() -> Patient:
    net = classify.ConvNet(nn.Conv2d(64, 64, 3, padding=1), nn.InstanceNorm2d(64, affine=True))
    return classify.patient(net)


@look_alike(likes="an effect that a later operator cancels")
def gate_before_a_group_norm() -> Patient:
    """A gate for each channel is not undone by a norm over all channels."""

    class Gate(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.to_gate = nn.Linear(c, c)
            self.norm = nn.GroupNorm(1, c)

        def forward(self, x):
            gate = self.to_gate(x.mean((2, 3))).sigmoid()
            return self.norm(x * gate[:, :, None, None])

    return centre.patient(centre.CentreNet(neck=Gate(32)))


@look_alike(likes="samples of a batch mix")
def ghost_batch_norm() -> Patient:
    class Ghost(nn.BatchNorm2d):
        """In training, each half of the batch has its own statistics."""

        def forward(self, x):
            if self.training and len(x) > 3:
                return torch.cat([super(Ghost, self).forward(part) for part in x.chunk(2)])
            return super().forward(x)

    return anchors.patient(anchors.SingleShot(middle=Ghost(48)))


@look_alike(likes="statistics move in a frozen part")
def frozen_norms_at_batch_one() -> Patient:
    class Net(pyramid.Retina):
        def train(self, mode=True):
            super().train(mode)
            for module in self.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
            return self

    net = Net()
    for module in net.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    patient = pyramid.patient(net)
    net.train()
    patient.inputs = patient.inputs[:1]
    return patient


@look_alike(likes="BatchNorm constants")
def cumulative_statistics() -> Patient:
    net = free.FreeNet()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    return free.patient(net)


@look_alike(likes="samples of a batch mix")
def minibatch_deviation_on_purpose() -> Patient:
    class Deviation(nn.Module):
        """Adds one map that tells how much the pictures of the batch differ."""

        def __init__(self, c):
            super().__init__()
            self.squeeze = nn.Conv2d(c + 1, c, 1)

        def forward(self, x):
            spread = (x.var(0, correction=0) + 1e-6).sqrt().mean()
            return self.squeeze(torch.cat((x, spread.expand(len(x), 1, *x.shape[2:])), 1))

    return anchors.patient(
        anchors.SingleShot(middle=Deviation(48)),
        allow={"batch-mixing": "a layer that tells the batch's deviation, on purpose"},
    )


@look_alike(likes="normalisation over the wrong axis")
def unit_vectors_with_a_learnt_scale() -> Patient:
    class Unit(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.gain = nn.Parameter(torch.full((1, c, 1, 1), 10.0))

        def forward(self, x):
            return F.normalize(x, dim=1) * self.gain

    return anchors.patient(anchors.SingleShot(middle=Unit(48)))


@look_alike(likes="normalisation over a size of one")
def response_norm_of_all_places() -> Patient:
    class ResponseNorm(nn.Module):
        """Global response normalisation: the length over places, against its mean over channels."""

        def __init__(self, c):
            super().__init__()
            self.gamma = nn.Parameter(torch.zeros(1, c, 1, 1))
            self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))

        def forward(self, x):
            length = x.norm(dim=(2, 3), keepdim=True)
            share = length / (length.mean(1, keepdim=True) + 1e-6)
            return x + self.gamma * x * share + self.beta

    return centre.patient(centre.CentreNet(neck=ResponseNorm(32)))


@look_alike(likes="normalisation over the wrong axis")
def standardised_weights() -> Patient:
    class Standardised(nn.Conv2d):
        def forward(self, x):
            deviation, mean = torch.std_mean(self.weight, (1, 2, 3), keepdim=True)
            weight = (self.weight - mean) / (deviation + 1e-5) / self.weight[0].numel() ** 0.5
            return F.conv2d(x, weight, self.bias, self.stride, self.padding)

    middle = nn.Sequential(Standardised(48, 48, 3, padding=1), nn.GroupNorm(4, 48), nn.ReLU())
    return anchors.patient(anchors.SingleShot(middle=middle))


@look_alike(likes="parameters that never change")
def bias_before_a_norm() -> Patient:
    net = anchors.SingleShot()
    for stage in (net.stem, *net.stage1, *net.stage2):
        old = stage[0]
        stage[0] = nn.Conv2d(old.in_channels, old.out_channels, 3, old.stride, 1, bias=True)
    return anchors.patient(net)
