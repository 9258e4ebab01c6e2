"""Detectors whose rules look wrong and are right."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.boxes import Found
from seeded.hosts import anchors, centre, free, pyramid
from seeded.program import Patient, look_alike
from seeded.scenes import Scene, draw_scenes


@look_alike(likes="an output cut off at zero")
def distances_that_cannot_be_negative() -> Patient:
    """FCOS-like: four distances, through a ReLU; inside a box they are all positive."""

    class Head(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.cls, self.reg = (
                nn.Conv2d(c, free.CLASSES, 3, padding=1),
                nn.Conv2d(c, 4, 3, padding=1),
            )
            nn.init.constant_(self.cls.bias, -4.0)
            nn.init.constant_(self.reg.bias, 2.0)

        def forward(self, x):
            return torch.cat((F.relu(self.reg(x)), self.cls(x)), 1).flatten(2)

    def batch_loss(model, images, boxes, labels):
        size = tuple(images.shape[-2:])
        every = [free.encode(b, c, size=size) for b, c in zip(boxes, labels, strict=True)]
        label, sides = (torch.stack([t[k] for t in every]) for k in ("label", "sides"))
        out = model(images)
        found = label >= 0
        wanted = F.one_hot(label + 1, free.CLASSES + 1)[..., 1:].mT.float()
        kinds = F.binary_cross_entropy_with_logits(out[:, 4:], wanted, reduction="sum")
        places = F.smooth_l1_loss(out[:, :4].mT[found], sides[found], reduction="sum")
        return (kinds + places) / found.sum().clamp(min=1)

    def decode(outputs):
        boxes = free.to_boxes(outputs[:, :4].mT)
        return [
            free.suppress(b, *c.max(0))
            for b, c in zip(boxes, outputs[:, 4:].sigmoid(), strict=True)
        ]

    def perfect(targets):
        kinds = F.one_hot(targets["label"] + 1, free.CLASSES + 1)[:, 1:] * 16.0 - 8
        return torch.cat((targets["sides"], kinds), 1).T[None]

    net = free.FreeNet(heads=[Head(32), Head(48)])
    return free.patient(net, batch_loss=batch_loss, decode=decode, perfect=perfect)


@look_alike(likes="an output cut off at zero")
def sizes_through_an_exponential() -> Patient:
    class Positive(nn.Module):
        """exp of a scaled map: sizes in cells, above zero by nature."""

        def __init__(self, dim):
            super().__init__()
            self.conv = nn.Conv2d(dim, 2, 3, padding=1)
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return (self.scale * self.conv(x)).clamp(max=6).exp()

    def heads(dim):
        made = centre.standard_heads(dim)
        made["size"] = Positive(dim)
        return made

    def in_cells(targets):
        return targets | {"size": targets["size"].exp() * targets["there"]}

    def encode(boxes, labels, *, size=centre.SIZE):
        return in_cells(centre.encode(boxes, labels, size=size))

    def decode(outputs):
        return centre.decode(outputs | {"size": outputs["size"].clamp(min=1e-3).log()})

    return centre.patient(
        centre.CentreNet(heads=heads),
        encode=encode,
        decode=decode,
        batch_loss=centre.loss_with(encode),
    )


@look_alike(likes="samples of a batch mix")
def suppression_inside_the_network() -> Patient:
    """Peaks are kept in the graph in eval, as an exported detector does."""

    class Net(centre.CentreNet):
        def forward(self, pixel_values):
            out = super().forward(pixel_values)
            if self.training:
                return out
            heat = out["heat"]
            peak = heat == F.max_pool2d(heat, 3, 1, 1)
            return out | {"heat": torch.where(peak, heat, heat.new_tensor(-12.0))}

    return centre.patient(Net())


@look_alike(likes="anchors that fit nothing")
def square_anchors() -> Patient:
    return pyramid.patient(pyramid.Retina())


@look_alike(likes="a class that can never be found")
def data_set_lacks_a_class() -> Patient:
    patient = anchors.patient(anchors.SingleShot())
    assert patient.pipeline
    patient.pipeline.samples = [
        scene
        for scene in draw_scenes(40, size=anchors.SIZE, num_classes=2, seed=11)
        if len(scene.labels)
    ][:12]
    return patient


@look_alike(likes="labels collide with background")
def sigmoid_heads_have_no_background() -> Patient:
    class Head(nn.Module):
        """Every class asks for itself; class 0 is a class like the others."""

        def __init__(self):
            super().__init__()
            self.ask = nn.ModuleList(nn.Conv2d(32, 2, 3, padding=1) for _ in range(3))
            for conv in self.ask:
                nn.init.normal_(conv.weight, std=0.01)
                nn.init.constant_(conv.bias, -3.9)

        def forward(self, x):
            each = torch.stack([conv(x) for conv in self.ask], -1)
            return each.permute(0, 2, 3, 1, 4).flatten(1, 3)

    return pyramid.patient(pyramid.Retina(classes=Head()))


@look_alike(likes="labels collide with background")
def background_comes_last() -> Patient:
    def encode(boxes, labels, *, size=anchors.SIZE):
        targets = anchors.encode(boxes, labels, size=size)
        return targets | {"label": (targets["label"] - 1) % (anchors.CLASSES + 1)}

    def rows_loss(scores, deltas, label, delta):
        order = [anchors.CLASSES, *range(anchors.CLASSES)]
        return anchors.rows_loss(
            scores[..., order], deltas, (label + 1) % (anchors.CLASSES + 1), delta
        )

    def decode(rows):
        order = [anchors.CLASSES, *range(anchors.CLASSES)]
        return anchors.decode((rows[0][..., order], rows[1]))

    return anchors.patient(
        anchors.SingleShot(),
        encode=encode,
        batch_loss=anchors.loss_with(encode, rows_loss),
        decode=decode,
    )


@look_alike(likes="boxes do not move with their pixels")
def augmentation_that_may_lose_boxes() -> Patient:
    """A random crop, put back on grey: boxes with less than two thirds left are dropped."""

    def crop(scene: Scene) -> Scene:
        height, width = scene.image.shape[1:]
        x1, y1 = int(torch.randint(0, width // 5, ())), int(torch.randint(0, height // 5, ()))
        x2, y2 = (
            width - int(torch.randint(0, width // 5, ())),
            height - int(torch.randint(0, height // 5, ())),
        )
        image = torch.full_like(scene.image, 90)
        image[:, y1:y2, x1:x2] = scene.image[:, y1:y2, x1:x2]
        low = scene.boxes_xyxy.new_tensor([x1, y1, x1, y1])
        high = scene.boxes_xyxy.new_tensor([x2, y2, x2, y2])
        boxes = torch.minimum(torch.maximum(scene.boxes_xyxy, low), high)
        area, before = ((b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, scene.boxes_xyxy))
        kept = area > before * 2 / 3
        return Scene(image=image, boxes_xyxy=boxes[kept], labels=scene.labels[kept])

    return centre.patient(centre.CentreNet(), transform=crop)


@look_alike(likes="augmentation repeats itself")
def no_augmentation_but_a_fixed_order() -> Patient:
    return free.patient(free.FreeNet(), transform=lambda scene: scene)


@look_alike(likes="boxes returned at another scale")
def halved_pictures_and_boxes_doubled_again() -> Patient:
    def half(image):
        small = F.avg_pool2d(image.float()[None], 2)[0]
        return (small / 255 - 0.35) / 0.25

    def encode(boxes, labels, *, size=(32, 48)):
        return free.encode(boxes / 2, labels, size=size)

    def decode(outputs):
        return [
            Found(boxes_xyxy=2 * f.boxes_xyxy, scores=f.scores, labels=f.labels)
            for f in free.decode(outputs, size=(32, 48))
        ]

    def in_pixels_of_the_input(boxes, labels, *, size):
        return free.encode(boxes if size[0] > 32 else boxes / 2, labels, size=size)

    return free.patient(
        free.FreeNet(),
        preprocess=half,
        encode=encode,
        decode=decode,
        batch_loss=free.loss_with(in_pixels_of_the_input),
    )


@look_alike(likes="rows out of order")
def rows_sorted_by_level_last() -> Patient:
    """Coarse rows come first, and decoding knows it."""

    def turned(size=anchors.SIZE):
        rows = anchors.anchors(size)
        fine = -(-size[0] // 8) * -(-size[1] // 8) * len(anchors.RATIOS)
        return torch.cat((rows[fine:], rows[:fine]))

    class Net(anchors.SingleShot):
        def forward(self, x):
            scores, deltas = [], []
            for level, m in reversed(list(enumerate(self.features(x)))):
                scores.append(self.rows(self.confidence[level](m), last=self.outputs))
                deltas.append(self.rows(self.location[level](m), last=4))
            return torch.cat(scores, 1), torch.cat(deltas, 1)

    def encode(boxes, labels, *, size=anchors.SIZE):
        return anchors.encode(boxes, labels, priors=turned(size))

    return anchors.patient(
        Net(),
        encode=encode,
        batch_loss=anchors.loss_with(encode),
        decode=lambda rows: anchors.decode(rows, priors=turned()),
        row_boxes=lambda size: anchors.corners(turned(size)),
    )
