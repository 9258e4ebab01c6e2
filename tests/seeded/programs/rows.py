"""Rows of the output that do not stand for the place that decoding gives them."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, free, pyramid
from seeded.program import Patient, program


@program(
    host="anchors",
    rank=4,
    mechanism="rows out of order",
    cases=("fizyr/keras-retinanet#581",),
    where=("", "confidence.0", "confidence.1", "location.0", "location.1"),
)
def rows_without_a_permute(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def rows(self, maps, *, last):
            if faulty:
                return maps.contiguous().view(len(maps), -1, last)  # FAULT
            return super().rows(maps, last=last)

    return anchors.patient(Net())


@program(
    host="pyramid",
    rank=4,
    mechanism="rows out of order",
    cases=("fizyr/keras-retinanet#581", "vitrioil/Speech-Separation#4"),
    where=("cls_head",),
)
def classes_read_column_by_column(*, faulty: bool) -> Patient:
    class Head(pyramid.Head):
        def forward(self, x):
            y = self.predict(self.tower(x))
            y = y.unflatten(1, (-1, self.outputs))
            order = (0, 4, 3, 1, 2) if faulty else (0, 3, 4, 1, 2)
            y = y.permute(order)  # FAULT
            return y.flatten(1, 3)

    return pyramid.patient(pyramid.Retina(classes=Head(pyramid.CLASSES, prior=0.02)))


@program(
    host="anchors",
    rank=4,
    mechanism="rows out of order",
    cases=("ultralytics/yolov5#945",),
    where=("", "location.0", "location.1"),
)
def anchors_before_places(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def rows(self, maps, *, last):
            if faulty and last == 4:
                return maps.unflatten(1, (-1, 4)).permute(0, 1, 3, 4, 2).flatten(1, 3)  # FAULT
            return super().rows(maps, last=last)

    return anchors.patient(Net())


@program(
    host="pyramid",
    rank=4,
    mechanism="levels and strides disagree",
    cases=("ultralytics/yolov5#945", "Megvii-BaseDetection/YOLOX#1096"),
    where=("", "neck"),
)
def levels_coarse_to_fine(*, faulty: bool) -> Patient:
    class Net(pyramid.Retina):
        def forward(self, images):
            levels = list(self.neck(self.backbone(images)))
            if faulty:
                levels = levels[::-1]  # FAULT
            logits, deltas = [], []
            for level in levels:
                logits.append(self.cls_head(level))
                deltas.append(self.box_head(level))
            return {"logits": torch.cat(logits, 1), "deltas": torch.cat(deltas, 1)}

    return pyramid.patient(Net())


@program(
    host="free",
    rank=4,
    mechanism="rows out of order",
    cases=("sony/nnabla-examples#374", "PaddlePaddle/PaddleDetection#5222"),
    where=("heads.0", "heads.1"),
)
def places_run_down_the_columns(*, faulty: bool) -> Patient:
    class Head(free.Sides):
        def forward(self, x):
            box, cls = self.box(x), self.cls(x)
            if faulty:
                box = box.transpose(2, 3)  # FAULT
            return torch.cat((box.flatten(2), cls.flatten(2)), 1)

    return free.patient(free.FreeNet(heads=[Head(32), Head(48)]))


@program(
    host="pyramid",
    rank=4,
    mechanism="levels and strides disagree",
    cases=("balancap/SSD-Tensorflow#200", "fizyr/keras-retinanet#945"),
    where=("", "backbone", "backbone.c5", "row_boxes", "pipeline.decode", "pipeline.encode"),
)
def strides_of_another_network(*, faulty: bool) -> Patient:
    """The strides were configured for another network: half of what they are here."""

    def places(size=pyramid.SIZE):
        strides = pyramid.STRIDES
        rows = []
        for stride, pair in zip(strides, pyramid.SIDES, strict=True):
            h, w = -(-size[0] // stride), -(-size[1] // stride)
            step = stride // 2 if faulty else stride  # FAULT
            y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            centre = (torch.stack((x, y), -1).reshape(-1, 1, 2) + 0.5) * step
            sides = torch.tensor(pair)[None, :, None].expand(h * w, -1, 2)
            rows.append(torch.cat((centre.expand_as(sides), sides), -1).reshape(-1, 4))
        return torch.cat(rows)

    def encode(boxes, labels, *, size=pyramid.SIZE):
        return pyramid.encode(boxes, labels, priors=places(size))

    return pyramid.patient(
        pyramid.Retina(),
        batch_loss=pyramid.loss_with(encode),
        encode=encode,
        decode=lambda outputs: pyramid.decode(outputs, priors=places()),
        row_boxes=lambda size: anchors.corners(places(size)),
    )


@program(
    host="centre",
    rank=4,
    mechanism="a merge that shifts one side",
    cases=("keras-team/keras#16363", "tensorflow/tensorflow#10747"),
    where=("join", "neck"),
)
def one_sided_padding_before_a_merge(*, faulty: bool) -> Patient:
    class Same(nn.Module):
        """An 8 x 8 convolution that keeps the size."""

        def __init__(self, c):
            super().__init__()
            self.line = nn.Conv2d(c, c, 9, groups=c)

        def forward(self, x):
            if faulty:
                y = self.line(F.pad(x, (0, 8, 0, 8)))  # FAULT
            else:
                y = self.line(F.pad(x, (4, 4, 4, 4)))
            return x + y

    return centre.patient(centre.CentreNet(neck=Same(32)))


@program(
    host="centre",
    rank=4,
    mechanism="a merge that shifts one side",
    cases=("qubvel/segmentation_models#37", "onnx/onnx#3428"),
    where=("join",),
)
def coarse_map_rolled_by_a_cell(*, faulty: bool) -> Patient:
    class Larger(nn.Module):
        """Transposed convolution; what it gives too much is cut off."""

        def __init__(self, coarse, fine):
            super().__init__()
            self.grow = nn.ConvTranspose2d(coarse, fine, 6, stride=2)

        def forward(self, fine, coarse):
            h, w = fine.shape[-2:]
            y = self.grow(coarse)
            if faulty:
                y = y[..., 4:, 4:]  # FAULT
            else:
                y = y[..., 2:-2, 2:-2]
            return fine + y[..., :h, :w]

    return centre.patient(centre.CentreNet(join=Larger))


@program(
    host="pyramid",
    rank=4,
    mechanism="a merge that shifts one side",
    cases=("kazuto1011/deeplab-pytorch#37",),
    where=("neck",),
)
def corners_aligned_on_the_way_up(*, faulty: bool) -> Patient:
    class Bilinear(pyramid.TopDown):
        def up(self, x, like):
            return F.interpolate(
                x,
                size=like.shape[-2:],
                mode="bilinear",
                align_corners=faulty,  # FAULT
            )

    return pyramid.patient(pyramid.Retina(neck=Bilinear()))


@program(
    host="centre",
    rank=4,
    mechanism="outputs read in another order",
    cases=("sony/nnabla-examples#374",),
    where=("pipeline.decode",),
)
def sizes_read_as_offsets(*, faulty: bool) -> Patient:
    def decode(outputs):
        heat, size, offset = (outputs[k] for k in ("heat", "size", "offset"))
        if faulty:
            size, offset = offset, size  # FAULT
        return centre.decode({"heat": heat, "size": size, "offset": offset})

    return centre.patient(centre.CentreNet(), decode=decode)


@program(
    host="anchors",
    rank=4,
    mechanism="anchors that fit nothing",
    cases=("fizyr/keras-retinanet#1343",),
    where=("pipeline.encode", "row_boxes", ""),
)
def anchors_for_another_data_set(*, faulty: bool) -> Patient:
    sides = (60.0, 90.0) if faulty else anchors.SIDES  # FAULT

    def encode(boxes, labels, *, size=anchors.SIZE):
        return anchors.encode(boxes, labels, priors=anchors.anchors(size, sides=sides))

    return anchors.patient(
        anchors.SingleShot(),
        encode=encode,
        batch_loss=anchors.loss_with(encode),
        decode=lambda rows: anchors.decode(rows, priors=anchors.anchors(sides=sides)),
        row_boxes=lambda size: anchors.corners(anchors.anchors(size, sides=sides)),
    )


@program(
    host="anchors",
    rank=4,
    mechanism="anchors that fit nothing",
    cases=("dbolya/yolact#19",),
    where=("pipeline.encode", "row_boxes", ""),
)
def every_anchor_a_square(*, faulty: bool) -> Patient:
    ratios = (1.0, 1.0, 1.0) if faulty else anchors.RATIOS  # FAULT

    def encode(boxes, labels, *, size=anchors.SIZE):
        return anchors.encode(boxes, labels, priors=anchors.anchors(size, ratios=ratios))

    return anchors.patient(
        anchors.SingleShot(),
        encode=encode,
        batch_loss=anchors.loss_with(encode),
        decode=lambda rows: anchors.decode(rows, priors=anchors.anchors(ratios=ratios)),
        row_boxes=lambda size: anchors.corners(anchors.anchors(size, ratios=ratios)),
    )


@program(
    host="centre",
    rank=4,
    mechanism="channels and places scrambled",
    cases=("vitrioil/Speech-Separation#4", "omasaht/headpose-fsanet-pytorch#10"),
    where=("quarter.0", "quarter.1", "eighth.1", "eighth.2"),
)
def channels_last_by_a_reshape(*, faulty: bool) -> Patient:
    class Block(centre.ChannelsLast):
        def forward(self, x):
            b, c, h, w = x.shape
            y = self.depthwise(x)
            if faulty:
                y = y.reshape(b, h, w, c)  # FAULT
            else:
                y = y.permute(0, 2, 3, 1)
            y = self.narrow(torch.relu(self.wide(self.norm(y))))
            return x + torch.movedim(y, -1, 1)

    return centre.patient(centre.CentreNet(block=Block))


@program(
    host="free",
    rank=4,
    mechanism="channels and places scrambled",
    cases=("BonnBytes/PyTorch-FWD#16", "omasaht/headpose-fsanet-pytorch#10"),
    where=("fine.deep", "fine"),
)
def tokens_viewed_back_into_a_map(*, faulty: bool) -> Patient:
    class Mixer(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.first, self.second = nn.Linear(c, 2 * c), nn.Linear(2 * c, c)

        def forward(self, x):
            shape = x.shape
            tokens = x.flatten(2).permute(0, 2, 1)
            tokens = self.second(F.silu(self.first(tokens)))
            if faulty:
                return tokens.reshape(shape)  # FAULT
            return tokens.permute(0, 2, 1).reshape(shape)

    return free.patient(free.FreeNet(fine=free.Split(32, bottleneck=Mixer)))
