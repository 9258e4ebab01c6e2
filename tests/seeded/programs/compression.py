"""Eight bits and fewer channels: what was lost on the way from the float network."""

import copy

import torch
from torch import nn

from seeded.hosts import anchors, free, pyramid
from seeded.program import Patient, program


def eight_bits(x, low, high):
    scale = (high - low) / 255
    return ((x - low) / scale).round().clamp(0, 255) * scale + low


@program(
    host="free",
    rank=9,
    mechanism="one scale for values of different size",
    cases=("ultralytics/ultralytics#1695", "DeGirum/PySDKExamples#54"),
    where=("", "heads.0", "heads.1"),
)
def pixels_and_scores_share_a_scale(*, faulty: bool) -> Patient:
    """Boxes in pixels beside probabilities, as an integer runtime gets them."""

    class Exported(free.FreeNet):
        def raw(self, x):
            return super().forward(x)

        def forward(self, x):
            raw = self.raw(x)
            box, cls = raw.split((4 * free.BINS, free.CLASSES), 1)
            sides = free.distances(box)
            corners = free.to_boxes(sides, tuple(x.shape[-2:])).mT
            scores = cls.sigmoid()
            if faulty:
                both = torch.cat((corners, scores), 1)
                return eight_bits(both, both.min(), both.max())  # FAULT
            corners = eight_bits(corners, corners.min(), corners.max())
            return torch.cat((corners, eight_bits(scores, 0.0, 1.0)), 1)

    def decode(outputs):
        boxes, scores = outputs[:, :4], outputs[:, 4:]
        return [free.suppress(b.T, *s.max(0)) for b, s in zip(boxes, scores, strict=True)]

    def perfect(targets):
        label = targets["label"]
        there = torch.nn.functional.one_hot(label + 1, free.CLASSES + 1)[:, 1:].T.float()
        return torch.cat((free.to_boxes(targets["sides"]).T, there))[None]

    def batch_loss(model, images, boxes, labels):
        return free.loss_with()(model.raw, images, boxes, labels)

    return free.patient(Exported(), decode=decode, perfect=perfect, batch_loss=batch_loss)


@program(
    host="anchors",
    rank=9,
    mechanism="one scale for values of different size",
    cases=("ARM-software/armnn#344", "Edgecortix-Inc/pytorch_quantization#5"),
    where=("middle", "middle.0"),
)
def one_scale_for_all_depthwise_filters(*, faulty: bool) -> Patient:
    class Depthwise(nn.Conv2d):
        """The filters differ in size by a factor of thousands, as after folding BatchNorm."""

        def __init__(self, c):
            super().__init__(c, c, 3, padding=1, groups=c, bias=False)
            self.register_buffer("spread", torch.logspace(-3, 1, c).view(-1, 1, 1, 1))

        def forward(self, x):
            weight = self.weight * self.spread
            axes = (0, 1, 2, 3) if faulty else (1, 2, 3)
            step = weight.detach().abs().amax(axes, keepdim=True) / 127  # FAULT
            whole = weight + ((weight / step).round() * step - weight).detach()
            return nn.functional.conv2d(x, whole, padding=1, groups=self.groups) / self.spread.view(
                1, -1, 1, 1
            )

    middle = nn.Sequential(Depthwise(48), nn.BatchNorm2d(48), nn.ReLU())
    return anchors.patient(anchors.SingleShot(middle=middle))


@program(
    host="pyramid",
    rank=9,
    mechanism="channels kept do not fit those that come",
    cases=("openvinotoolkit/openvino#6509",),
    where=("cls_head.tower.3", "cls_head", "cls_head.tower", "cls_head.tower.1"),
    not_trained="pruned from its reference; a training would heal it",
)
def pruned_channels_of_the_wrong_side(*, faulty: bool) -> Patient:
    """Eight channels of a tower's first layer are cut; the next layer must lose the same."""
    head = pyramid.Head(pyramid.CLASSES, prior=0.02)
    head.tower[1] = nn.BatchNorm2d(32)
    reference = pyramid.Retina(classes=head)
    net = copy.deepcopy(reference)
    keep = torch.tensor([i for i in range(32) if i % 4])
    first, norm, after = (net.cls_head.tower[i] for i in (0, 1, 3))
    cut = nn.Conv2d(32, 24, 3, padding=1)
    cut.weight.data, cut.bias.data = first.weight.data[keep], first.bias.data[keep]
    next_ = nn.Conv2d(24, 32, 3, padding=1)
    inputs = torch.arange(24) if faulty else keep
    next_.weight.data, next_.bias.data = after.weight.data[:, inputs], after.bias.data  # FAULT
    slim = nn.BatchNorm2d(24)
    slim.weight.data, slim.bias.data = norm.weight.data[keep], norm.bias.data[keep]
    net.cls_head.tower[0], net.cls_head.tower[1], net.cls_head.tower[3] = cut, slim, next_
    with torch.no_grad():
        reference.cls_head.tower[3].weight[:, ::4] = 0
    return pyramid.patient(net, reference=reference)


@program(
    host="pyramid",
    rank=17,
    mechanism="differs from the reference",
    cases=("zsef123/EfficientNets-PyTorch#2",),
    where=("backbone.c4", "backbone.c3", "backbone"),
)
def skip_connection_never_taken(*, faulty: bool) -> Patient:
    class Deep(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.down = pyramid.Residual(a, b, 2)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Conv2d(b, b, 3, padding=1), nn.GroupNorm(1, b), nn.ReLU())
                for _ in range(6)
            )

        def forward(self, x):
            x = self.down(x)
            for block in self.blocks:
                if faulty:
                    x = block(x)  # FAULT
                else:
                    x = x + block(x)
            return x

    def build(part):
        backbone = pyramid.Backbone()
        backbone.c4 = part(32, 48)
        return pyramid.Retina(backbone=backbone)

    class Sound(Deep):
        def forward(self, x):
            x = self.down(x)
            for block in self.blocks:
                x = x + block(x)
            return x

    net, reference = build(Deep), build(Sound)
    reference.load_state_dict(net.state_dict())
    return pyramid.patient(net, reference=reference)
