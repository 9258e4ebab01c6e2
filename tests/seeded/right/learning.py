"""Frozen, tied, averaged, stopped and random parts that are meant, and losses that look wrong."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, look_alike


@look_alike(likes="parameters frozen by mistake")
def frozen_backbone() -> Patient:
    class Net(pyramid.Retina):
        def train(self, mode=True):
            super().train(mode)
            self.backbone.eval()
            return self

    net = Net()
    net.backbone.requires_grad_(False)
    net.train()
    optimizer = Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    return pyramid.patient(net, optimizer=optimizer)


@look_alike(likes="parameters frozen by mistake")
def low_rank_adapters() -> Patient:
    class Adapted(nn.Module):
        def __init__(self, line, rank=4):
            super().__init__()
            self.line = line.requires_grad_(False)
            self.down = nn.Linear(line.in_features, rank, bias=False)
            self.up = nn.Linear(rank, line.out_features, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x):
            return self.line(x) + self.up(self.down(x))

    net = classify.Tokens()
    for layer in net.layers:
        layer.attn.qkv = Adapted(layer.attn.qkv)
    return classify.patient(
        net, optimizer=AdamW([p for p in net.parameters() if p.requires_grad], lr=2e-3)
    )


@look_alike(likes="gradient cut off")
def two_views_with_a_stopped_gradient() -> Patient:
    """BYOL-like: one view predicts the other, which gives no gradient."""

    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = classify.ConvNet()
            self.net.classify = nn.Linear(64, 32)
            self.predictor = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
            self.classify = nn.Linear(32, classify.CLASSES)

        def forward(self, x):
            return self.classify(self.net(x))

    def batch_loss(model, images, boxes, labels):
        first, second = model.net(images), model.net(images.flip(-1))
        said = model.predictor(first)
        alike = F.cosine_similarity(said, second.detach(), dim=1).mean()
        return F.cross_entropy(model(images), torch.cat(labels)) - 0.1 * alike + 0.1

    return classify.patient(Siamese(), batch_loss=batch_loss)


@look_alike(likes="averaged weights without their buffers")
def average_with_its_statistics() -> Patient:
    class Averaged(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.online = net
            self.ema = copy.deepcopy(net).requires_grad_(False)

        def forward(self, x):
            if not self.training:
                return self.ema.eval()(x)
            with torch.no_grad():
                theirs = self.online.state_dict()
                for name, mine in self.ema.state_dict().items():
                    if mine.dtype.is_floating_point:
                        mine.lerp_(theirs[name], 0.1)
            return self.online(x)

    return free.patient(Averaged(free.FreeNet()))


@look_alike(likes="averaged weights without their buffers")
def average_beside_the_network() -> Patient:
    net = anchors.SingleShot()
    patient = anchors.patient(net)
    patient.average = copy.deepcopy(net).requires_grad_(False)
    return patient


@look_alike(likes="random in eval")
def dropout_and_dropped_paths() -> Patient:
    class Dropped(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Dropout(0.2))

        def forward(self, x):
            if self.training:
                keep = (torch.rand(len(x), 1, 1, 1) < 0.8).float() / 0.8
                return x + keep * self.body(x)
            return x + self.body(x)

    return anchors.patient(anchors.SingleShot(middle=Dropped(48)))


@look_alike(likes="parameters that the optimizer does not hold")
def groups_with_and_without_decay() -> Patient:
    net = free.FreeNet()
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=2e-3
    )
    return free.patient(net, optimizer=optimizer)


@look_alike(likes="one part under several names")
def weights_tied_to_the_embedding() -> Patient:
    """The last layer's weight is the one of the prototypes."""

    class Tied(classify.Tokens):
        def __init__(self):
            super().__init__()
            self.prototypes = nn.Linear(48, classify.CLASSES, bias=False)
            self.head.weight = self.prototypes.weight

        def forward(self, images):
            return super().forward(images)

    return classify.patient(Tied())


@look_alike(likes="a computed value that nothing uses")
def auxiliary_head_for_training_only() -> Patient:
    class Helped(classify.ConvNet):
        def __init__(self):
            super().__init__()
            self.helper = nn.Linear(48, classify.CLASSES)

        def forward(self, x):
            early = self.body[1](self.body[0](x))
            y = self.classify(self.pool(self.between(self.body[2](early))))
            return (y, self.helper(early.mean((2, 3)))) if self.training else y

    def batch_loss(model, images, boxes, labels):
        wanted, said = torch.cat(labels), model(images)
        if isinstance(said, tuple):
            return F.cross_entropy(said[0], wanted) + 0.3 * F.cross_entropy(said[1], wanted)
        return F.cross_entropy(said, wanted)

    return classify.patient(Helped(), batch_loss=batch_loss)


@look_alike(likes="probabilities into a loss of logits")
def logarithm_of_a_softmax_twice() -> Patient:
    """Cross entropy of log-probabilities is cross entropy: log-softmax changes nothing twice."""
    net = classify.ConvNet()
    net.classify = nn.Sequential(net.classify, nn.LogSoftmax(1))
    return classify.patient(net)


@look_alike(likes="probabilities into a loss of logits")
def probabilities_into_their_own_loss() -> Patient:
    net = classify.ConvNet()
    net.classify = nn.Sequential(net.classify, nn.Softmax(1))

    def batch_loss(model, images, boxes, labels):
        return F.nll_loss(model(images).clamp(min=1e-7).log(), torch.cat(labels))

    return classify.patient(net, batch_loss=batch_loss)


@look_alike(likes="the loss has a floor")
def smoothed_labels() -> Patient:
    def batch_loss(model, images, boxes, labels):
        return F.cross_entropy(model(images), torch.cat(labels), label_smoothing=0.1)

    return classify.patient(classify.ConvNet(), batch_loss=batch_loss)


@look_alike(likes="shapes broadcast in the loss")
def everything_against_everything() -> Patient:
    """A contrastive loss over all pairs of the batch, beside the usual one."""

    def batch_loss(model, images, boxes, labels):
        logits, wanted = model(images), torch.cat(labels)
        apart = torch.cdist(logits, logits)
        same = (wanted[:, None] == wanted[None]).float()
        pairs = same * apart + (1 - same) * F.relu(2 - apart)
        return F.cross_entropy(logits, wanted) + 0.1 * pairs.mean()

    return classify.patient(classify.ConvNet(), batch_loss=batch_loss)


@look_alike(likes="shapes broadcast in the loss")
def cost_of_each_pairing() -> Patient:
    """Set-like assignment: a table of costs, rows against boxes, picks the rows that are trained."""

    def encode(boxes, labels, *, size=anchors.SIZE):
        priors = anchors.anchors(size)
        targets = anchors.encode(boxes, labels, size=size)
        cost = (priors[:, None, :2] - anchors.centres(boxes)[None, :, :2]).abs().sum(-1)
        nearest = cost.argmin(0)
        targets["label"][nearest] = labels + 1
        targets["delta"][nearest] = anchors.to_deltas(boxes, priors[nearest])
        return targets

    return anchors.patient(
        anchors.SingleShot(), encode=encode, batch_loss=anchors.loss_with(encode)
    )


@look_alike(likes="the loss grows with the batch")
def loss_normalised_picture_by_picture() -> Patient:
    def batch_loss(model, images, boxes, labels):
        one = pyramid.loss_with()
        losses = [
            one(model, image[None], [b], [c])
            for image, b, c in zip(images, boxes, labels, strict=True)
        ]
        return torch.stack(losses).mean()

    return pyramid.patient(pyramid.Retina(), batch_loss=batch_loss)


@look_alike(likes="initial loss far from what it should be")
def sum_instead_of_mean_with_a_smaller_step() -> Patient:
    net = centre.CentreNet()

    def batch_loss(model, images, boxes, labels):
        return centre.loss_with()(model, images, boxes, labels) * 10

    return centre.patient(net, batch_loss=batch_loss, optimizer=SGD(net.parameters(), lr=1e-3))
