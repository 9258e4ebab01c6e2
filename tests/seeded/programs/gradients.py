"""Parts that no gradient reaches, that no optimizer moves, or that are one part by mistake."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, program


@program(
    host="pyramid",
    rank=7,
    mechanism="parts that are not registered",
    cases=("pytorch/pytorch#666", "asyml/texar-pytorch#72"),
    where=("neck", "backbone"),
)
def laterals_in_a_plain_list(*, faulty: bool) -> Patient:
    class Neck(nn.Module):
        def __init__(self):
            super().__init__()
            lines = [nn.Conv2d(w, 32, 1) for w in (32, 48, 64)]
            blocks = [pyramid.Residual(32, 32) for _ in lines]
            self.lines = nn.ModuleList(lines)
            self.blocks = blocks if faulty else nn.ModuleList(blocks)  # FAULT

        def forward(self, maps):
            laid = [line(m) for line, m in zip(self.lines, maps, strict=True)]
            for fine in (1, 0):
                laid[fine] = laid[fine] + F.interpolate(laid[fine + 1], scale_factor=2)
            return [block(m) for block, m in zip(self.blocks, laid, strict=True)]

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="anchors",
    rank=7,
    mechanism="parameters that the optimizer does not hold",
    cases=("ohhhyeahhh/SiamCAR#18", "zjunlp/HVPNeT#5"),
    where=("confidence", "confidence.0", "confidence.1", "optimizer"),
)
def class_head_not_in_the_optimizer(*, faulty: bool) -> Patient:
    net = anchors.SingleShot()
    groups = [net.stem, net.stage1, net.stage2, net.deeper, net.location]
    if not faulty:  # FAULT
        groups.append(net.confidence)
    optimizer = Adam([p for part in groups for p in part.parameters()], lr=3e-3)
    return anchors.patient(net, optimizer=optimizer)


@program(
    host="centre",
    rank=7,
    mechanism="parameters that the optimizer does not hold",
    cases=("ohhhyeahhh/SiamCAR#18",),
    where=("join", "join.project", "optimizer", "patches", "quarter", "eighth", "heads"),
)
def optimizer_made_before_the_part_was_swapped(*, faulty: bool) -> Patient:
    net = centre.CentreNet()
    early = Adam(net.parameters(), lr=3e-3)
    net.heads = centre.standard_heads(32)
    net.quarter = nn.Sequential(centre.ChannelsLast(32), centre.ChannelsLast(32))
    late = Adam(net.parameters(), lr=3e-3)
    return centre.patient(net, optimizer=early if faulty else late)  # FAULT


@program(
    host="free",
    rank=7,
    mechanism="gradient cut off",
    cases=("bboylyg/NAD#8", "queenie88/A-GCN#4"),
    where=("coarse", "coarse.0", "coarse.1", "", "heads.1"),
)
def coarse_path_detached(*, faulty: bool) -> Patient:
    class Net(free.FreeNet):
        def forward(self, x):
            p2, p3 = self.pyramid(x)
            outputs = [self.heads[0](p2), self.heads[1](p3)]
            return torch.cat(outputs, 2)

        def pyramid(self, x):
            first = self.stem(x)
            p2 = self.fine(first)
            p3 = self.coarse(p2)
            if faulty:
                p3 = p3.detach()  # FAULT
            up = p3.repeat_interleave(2, 2).repeat_interleave(2, 3)
            return self.merge(torch.cat((p2, up), 1)), p3

    return free.patient(Net())


@program(
    host="anchors",
    rank=7,
    mechanism="gradient cut off",
    cases=("guopengf/FL-MRCM#10", "queenie88/A-GCN#4"),
    where=("stem", "stage1", "stage1.0", "stage1.1", ""),
)
def features_under_no_grad(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def features(self, x):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not faulty):
                x = self.stage1(self.stem(x))  # FAULT
            x = self.stage2(x)
            return [x, self.deeper(x)]

    return anchors.patient(Net())


@program(
    host="centre",
    rank=7,
    mechanism="one part under several names",
    cases=("linkedin/Liger-Kernel#269", "zalandoresearch/pytorch-vq-vae#2"),
    where=("neck", "neck.0", "neck.1", "neck.2"),
)
def one_block_three_times(*, faulty: bool) -> Patient:
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, c, 1)
            )

        def forward(self, x):
            return x + self.body(x)

    if faulty:
        blocks = [Block(32)] * 3  # FAULT
    else:
        blocks = [Block(32) for _ in range(3)]
    return centre.patient(centre.CentreNet(neck=nn.Sequential(*blocks)))


@program(
    host="classify",
    rank=7,
    mechanism="one part under several names",
    cases=("SSinyu/RED-CNN#8",),
    where=("between.0", "between.0.norm", "between.0.norm2"),
)
def one_norm_for_different_inputs(*, faulty: bool) -> Patient:
    class Twice(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
            self.norm = nn.BatchNorm2d(c)
            self.norm2 = self.norm if faulty else nn.BatchNorm2d(c)  # FAULT

        def forward(self, x):
            y = self.norm(self.conv1(x)).relu()
            return (8 * y + self.norm2(20 * self.conv2(y) + 5)).relu()

    return classify.patient(classify.ConvNet(Twice(64)))


@program(
    host="anchors",
    rank=7,
    mechanism="a computed value that nothing uses",
    cases=("Cadene/pretrained-models.pytorch#79",),
    where=("middle",),
)
def activation_assigned_and_never_read(*, faulty: bool) -> Patient:
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv1 = nn.Conv2d(c, c, 3, padding=1)
            self.norm1 = nn.BatchNorm2d(c)
            self.conv2 = nn.Conv2d(c, c, 3, padding=1)
            self.act = nn.ReLU()

        def forward(self, x):
            normed = self.norm1(self.conv1(x))
            out = self.act(normed)  # FAULT
            if faulty:
                out = normed
            return self.conv2(out)

    return anchors.patient(anchors.SingleShot(middle=Block(48)))


@program(
    host="pyramid",
    rank=7,
    mechanism="a path that is lost in a merge",
    cases=("vanvalenlab/deepcell-tf#326",),
    where=("neck",),
)
def upsampled_before_it_was_added(*, faulty: bool) -> Patient:
    class Neck(pyramid.TopDown):
        def forward(self, maps):
            c3, c4, c5 = (line(m) for line, m in zip(self.lateral, maps, strict=True))
            p4 = c4 + self.up(c5, c4)
            p3 = c3 + self.up(c4 if faulty else p4, c3)  # FAULT
            return [smooth(p) for smooth, p in zip(self.smooth, (p3, p4, c5), strict=True)]

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="pyramid",
    rank=7,
    mechanism="a computed value that nothing uses",
    cases=("CharlesShang/FastMaskRCNN#7", "CharlesShang/FastMaskRCNN#8"),
    where=("neck",),
)
def smoothing_what_was_not_merged(*, faulty: bool) -> Patient:
    class Neck(pyramid.TopDown):
        def forward(self, maps):
            laid = [line(m) for line, m in zip(self.lateral, maps, strict=True)]
            merged = [laid[-1]]
            for below in reversed(laid[:-1]):
                merged.insert(0, below + self.up(merged[0], below))
            source = laid if faulty else merged
            return [smooth(m) for smooth, m in zip(self.smooth, source, strict=True)]  # FAULT

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="classify",
    rank=7,
    mechanism="parameters frozen by mistake",
    cases=("open-mmlab/mmpretrain#702", "PyTorch forum 84911"),
    where=("body", "classify", "", "body.0", "body.1", "body.2"),
)
def everything_but_the_norms_frozen(*, faulty: bool) -> Patient:
    net = classify.ConvNet()
    for module in net.modules():
        for p in module.parameters(recurse=False):
            p.requires_grad_(not faulty or isinstance(module, nn.BatchNorm2d))  # FAULT
    optimizer = Adam([p for p in net.parameters() if p.requires_grad], lr=2e-3)
    return classify.patient(net, optimizer=optimizer)


@program(
    host="classify",
    rank=7,
    mechanism="a loss term without gradient",
    cases=("labmlai/annotated_deep_learning_paper_implementations#66", "bboylyg/NAD#8"),
    where=("training_loss",),
)
def teacher_compared_with_itself(*, faulty: bool) -> Patient:
    """Distillation only: the teacher knows the colours by heart."""
    palette = torch.tensor(
        [(0.95, 0.55, 0.1), (0.15, 0.35, 0.95), (0.2, 0.85, 0.3), (0.9, 0.2, 0.75)]
    )

    def teacher(images):
        colours = (images * 0.25 + 0.35).flatten(2).transpose(1, 2)
        near = (colours[:, :, None] - palette).pow(2).sum(-1)
        return -near.amin(1) * 40

    def batch_loss(model, images, boxes, labels):
        student, wanted = model(images), teacher(images)
        said = wanted if faulty else student  # FAULT
        soft = F.kl_div(said.log_softmax(1), wanted.softmax(1), reduction="batchmean")
        return soft + 1e-3 * student.pow(2).mean()

    return classify.patient(classify.ConvNet(), batch_loss=batch_loss)


@program(
    host="pyramid",
    rank=7,
    mechanism="a part that is built and never called",
    cases=("zsef123/EfficientNets-PyTorch#2"),
    where=("backbone.c4", "backbone.c4.b", "backbone.c4.nb", "backbone"),
)
def second_convolution_forgotten(*, faulty: bool) -> Patient:
    class Block(pyramid.Residual):
        def forward(self, x):
            y = F.relu(self.na(self.a(x)))
            if faulty:
                return F.relu(y + self.short(x))  # FAULT
            return F.relu(self.nb(self.b(y)) + self.short(x))

    backbone = pyramid.Backbone()
    backbone.c4 = Block(32, 48, 2)
    return pyramid.patient(pyramid.Retina(backbone=backbone))


@program(
    host="anchors",
    rank=7,
    mechanism="parameters that the optimizer does not hold",
    cases=("zjunlp/HVPNeT#5", "marvis/pytorch-yolo2#34"),
    where=("deeper", "stage2", "optimizer", "middle"),
)
def group_overwritten_instead_of_added(*, faulty: bool) -> Patient:
    net = anchors.SingleShot(middle=anchors.conv_bn_relu(48, 48))
    groups = []
    for name, part in net.named_children():
        group = {"params": list(part.parameters()), "lr": 0.02 if name == "stem" else 0.03}
        if faulty and name in ("stage1", "stage2", "middle", "deeper"):
            group = groups.pop()  # FAULT
        groups.append(group)
    return anchors.patient(net, optimizer=SGD(groups, momentum=0.9))


@program(
    host="free",
    rank=7,
    mechanism="a copy trains instead of the part that is used",
    cases=(
        "lucidrains/perceiver-pytorch#58",
        "labmlai/annotated_deep_learning_paper_implementations#66",
    ),
    where=("fine", "coarse", "optimizer", "stem"),
)
def optimizer_of_a_copy(*, faulty: bool) -> Patient:
    net = free.FreeNet()
    kept = copy.deepcopy(net)
    source = kept if faulty else net
    optimizer = Adam(
        [*source.stem.parameters(), *source.fine.parameters(), *source.coarse.parameters()]  # FAULT
        + [*net.merge.parameters(), *net.heads.parameters()],
        lr=3e-3,
    )
    return free.patient(net, optimizer=optimizer)
