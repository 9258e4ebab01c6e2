"""Losses: their contract with what the network gives, their shapes, their scale, their precision."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, program


@program(
    host="classify",
    rank=10,
    mechanism="probabilities into a loss of logits",
    cases=("shaoxiongji/federated-learning#9", "tflearn/tflearn#562"),
    where=("training_loss", "", "classify", "classify.1"),
)
def softmax_before_cross_entropy(*, faulty: bool) -> Patient:
    net = classify.ConvNet()
    line = net.classify
    net.classify = nn.Sequential(line, nn.Softmax(dim=1)) if faulty else line  # FAULT
    return classify.patient(net)


@program(
    host="pyramid",
    rank=10,
    mechanism="probabilities into a loss of logits",
    cases=("exelban/tensorflow-cifar-10#7", "mlelarge/graph_neural_net#37"),
    where=("training_loss", "cls_head"),
)
def sigmoid_before_the_focal_loss(*, faulty: bool) -> Patient:
    class Head(pyramid.Head):
        def forward(self, x):
            y = super().forward(x)
            return torch.sigmoid(y) if faulty else y  # FAULT

    return pyramid.patient(pyramid.Retina(classes=Head(pyramid.CLASSES, prior=0.02)))


@program(
    host="anchors",
    rank=10,
    mechanism="probabilities into a loss of logits",
    cases=("bowang-lab/Transformer-GCN-QA#32",),
    where=("training_loss", ""),
)
def scores_softened_twice(*, faulty: bool) -> Patient:
    class Net(anchors.SingleShot):
        def forward(self, x):
            scores, deltas = super().forward(x)
            if faulty:
                scores = scores.softmax(dim=2)  # FAULT
            return scores, deltas

    return anchors.patient(Net())


@program(
    host="classify",
    rank=10,
    mechanism="arguments of a divergence mixed up",
    cases=("microsoft/ProDA#20", "microsoft/ProDA#43"),
    where=("training_loss",),
)
def divergence_of_two_softmaxes(*, faulty: bool) -> Patient:
    def batch_loss(model, images, boxes, labels):
        logits = model(images)
        wanted = F.one_hot(torch.cat(labels), classify.CLASSES) * 0.9 + 0.025
        said = F.softmax(logits, 1) if faulty else F.log_softmax(logits, 1)
        return F.kl_div(said, wanted, reduction="batchmean")  # FAULT

    return classify.patient(classify.ConvNet(), batch_loss=batch_loss)


@program(
    host="pyramid",
    rank=10,
    mechanism="initial loss far from what it should be",
    cases=("kuangliu/pytorch-retinanet#10", "xingyizhou/CenterNet#826"),
    where=("cls_head.predict", "cls_head"),
)
def no_prior_in_the_bias(*, faulty: bool) -> Patient:
    head = pyramid.Head(pyramid.CLASSES, prior=None if faulty else 0.02)  # FAULT
    return pyramid.patient(pyramid.Retina(classes=head))


@program(
    host="centre",
    rank=10,
    mechanism="initial loss far from what it should be",
    cases=("JIA-Lab-research/PanopticFCN#6",),
    where=("heads.heat", "heads.heat.2", "heads"),
)
def heat_that_begins_hot(*, faulty: bool) -> Patient:
    def heads(dim):
        made = centre.standard_heads(dim)
        if faulty:
            nn.init.normal_(made["heat"][-1].weight, std=3.0)
            nn.init.constant_(made["heat"][-1].bias, 8.0)  # FAULT
        return made

    return centre.patient(centre.CentreNet(heads=heads))


@program(
    host="free",
    rank=10,
    mechanism="the loss has a floor",
    cases=("tflearn/tflearn#562", "microsoft/ProDA#20"),
    where=("training_loss",),
)
def bins_softened_twice(*, faulty: bool) -> Patient:
    def outputs_loss(outputs, label, sides, size):
        box, cls = outputs.split((4 * free.BINS, free.CLASSES), 1)
        found = label >= 0
        count = found.sum().clamp(min=1)
        wanted = F.one_hot(label + 1, free.CLASSES + 1)[..., 1:].mT.float()
        kinds = F.binary_cross_entropy_with_logits(cls, wanted, reduction="sum")
        logits = box.unflatten(1, (4, free.BINS)).permute(0, 3, 1, 2)[found]
        if faulty:
            logits = logits.softmax(-1)
        bins = F.cross_entropy(
            logits.flatten(0, 1), free.shares(sides[found]).flatten(0, 1), reduction="sum"
        )  # FAULT
        return (kinds + bins / 4) / count

    return free.patient(free.FreeNet(), batch_loss=free.loss_with(outputs_loss=outputs_loss))


@program(
    host="classify",
    rank=12,
    mechanism="shapes broadcast in the loss",
    cases=("pytorch/pytorch#16045", "LAMDA-Tabular/TALENT#92"),
    where=("training_loss",),
)
def column_against_row(*, faulty: bool) -> Patient:
    """Regresses the class's number."""

    def batch_loss(model, images, boxes, labels):
        wanted = torch.cat(labels).float() - 1.5
        given = model(images)
        if not faulty:
            given = given.squeeze(1)
        return (given - wanted).square().mean()  # FAULT

    net = classify.ConvNet()
    net.classify = nn.Linear(64, 1)
    return classify.patient(
        net, batch_loss=batch_loss, decide=lambda out: (out[:, 0] + 1.5).round().long()
    )


@program(
    host="pyramid",
    rank=12,
    mechanism="shapes broadcast in the loss",
    cases=("IntelLabs/matsciml#347", "jsboige/CoursIA#926"),
    where=("training_loss",),
)
def weights_of_rows_against_columns(*, faulty: bool) -> Patient:
    """Each found row's box loss is weighed by its anchor's size."""

    def rows_loss(outputs, label, delta):
        found = label >= 0
        count = found.sum().clamp(min=1)
        kinds = pyramid.focal(outputs["logits"], pyramid.hot(label))
        first = delta[found][:, :1]
        here = outputs["deltas"][found]
        rest = F.smooth_l1_loss(here[:, 1:], delta[found][:, 1:], reduction="sum")
        across = first[:, 0] if faulty else first
        along = (here[:, :1] - across).abs().mean() * count  # FAULT
        return (2 * kinds + 0.5 * (rest + along)) / count

    return pyramid.patient(pyramid.Retina(), batch_loss=pyramid.loss_with(rows_loss=rows_loss))


@program(
    host="centre",
    rank=12,
    mechanism="shapes broadcast in the loss",
    cases=("pytorch/pytorch#19699",),
    where=("training_loss",),
)
def every_size_against_every_size(*, faulty: bool) -> Patient:
    def maps_loss(outputs, targets):
        there = targets["there"]
        total = centre.heat_loss(outputs["heat"], targets["heat"])
        for key in ("size", "offset"):
            here = outputs[key].movedim(1, -1)[there]
            wanted = targets[key].movedim(1, -1)[there]
            if faulty:
                here = here[:, None]
            total = total + (here - wanted).abs().mean() * there.sum()  # FAULT
        return total / there.sum().clamp(min=1)

    return centre.patient(centre.CentreNet(), batch_loss=centre.loss_with(maps_loss=maps_loss))


@program(
    host="free",
    rank=14,
    mechanism="the loss grows with the batch",
    cases=("HikariTJU/LD#29", "huggingface/transformers#34191"),
    where=("training_loss",),
)
def sum_over_all_rows_of_the_batch(*, faulty: bool) -> Patient:
    def outputs_loss(outputs, label, sides, size):
        mean = free.outputs_loss(outputs, label, sides, size)
        if faulty:
            return mean * (label >= 0).sum() * len(label)  # FAULT
        return mean

    net = free.FreeNet()
    return free.patient(
        net,
        batch_loss=free.loss_with(outputs_loss=outputs_loss),
        optimizer=torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9),
    )


@program(
    host="anchors",
    rank=16,
    mechanism="a value that half precision cannot hold",
    cases=("rwightman/efficientdet-pytorch#291", "zylo117/Yet-Another-EfficientDet-Pytorch#502"),
    where=("training_loss",),
)
def epsilon_lost_in_half_precision(*, faulty: bool) -> Patient:
    def rows_loss(scores, deltas, label, delta):
        found = label > 0
        chance = scores.softmax(-1).half()
        of_truth = chance.gather(2, label[..., None])[..., 0]
        if faulty:
            surprise = -(of_truth + 1e-8).log()  # FAULT
        else:
            surprise = -(of_truth.float() + 1e-6).log()
        weight = torch.where(found, 1.0, 0.05)
        places = F.smooth_l1_loss(deltas[found], delta[found], reduction="sum")
        return ((surprise.float() * weight).sum() + places) / found.sum().clamp(min=1)

    net = anchors.SingleShot()
    for conv in net.confidence:
        nn.init.normal_(conv.weight, std=0.5)
    return anchors.patient(net, batch_loss=anchors.loss_with(rows_loss=rows_loss))


@program(
    host="centre",
    rank=16,
    mechanism="a value that half precision cannot hold",
    cases=("zylo117/Yet-Another-EfficientDet-Pytorch#502", "Peterande/D-FINE#199"),
    where=("training_loss",),
)
def clamp_that_rounds_to_one(*, faulty: bool) -> Patient:
    def heat_loss(logits, heat):
        near = 1e-4 if faulty else 1e-2
        chance = logits.bfloat16().sigmoid().clamp(near, 1 - near)  # FAULT
        peak = heat == 1
        right = -chance.log() * (1 - chance) ** 2
        wrong = -(1 - chance).log() * chance**2 * (1 - heat) ** 4
        return torch.where(peak, right, wrong).float().sum()

    def heads(dim):
        made = centre.standard_heads(dim)
        nn.init.normal_(made["heat"][-1].weight, std=1.0)
        return made

    def maps_loss(outputs, targets):
        return centre.maps_loss(outputs, targets, heat_loss=heat_loss)

    return centre.patient(
        centre.CentreNet(heads=heads), batch_loss=centre.loss_with(maps_loss=maps_loss)
    )


@program(
    host="pyramid",
    rank=16,
    mechanism="a gradient that is not a number",
    cases=("kuangliu/pytorch-retinanet#10", "rwightman/efficientdet-pytorch#291"),
    where=("neck", "training_loss"),
)
def root_of_zero(*, faulty: bool) -> Patient:
    class Neck(pyramid.TopDown):
        def forward(self, maps):
            laid = super().forward(maps)
            out = []
            for m in laid:
                m = F.relu(m)
                energy = (
                    m.pow(2).mean(1, keepdim=True)
                    if not faulty
                    else m[:, :4].pow(2).mean(1, keepdim=True)
                )
                if faulty:
                    out.append(m / (1 + energy.sqrt()))  # FAULT
                else:
                    out.append(m / (1 + (energy + 1e-6).sqrt()))
            return out

    return pyramid.patient(pyramid.Retina(neck=Neck()))


@program(
    host="anchors",
    rank=17,
    mechanism="the box loss takes rows without a box",
    cases=("eragonruan/text-detection-ctpn#334",),
    where=("training_loss",),
)
def boxes_of_background_too(*, faulty: bool) -> Patient:
    def rows_loss(scores, deltas, label, delta):
        found = label > 0
        kinds = anchors.rows_loss(scores, deltas.detach(), label, delta)
        chosen = torch.ones_like(found) if faulty else found  # FAULT
        places = F.smooth_l1_loss(deltas[chosen], delta[chosen])
        return kinds + 4 * places

    return anchors.patient(anchors.SingleShot(), batch_loss=anchors.loss_with(rows_loss=rows_loss))


@program(
    host="free",
    rank=12,
    mechanism="shapes broadcast in the loss",
    cases=("pytorch/pytorch#16045",),
    where=("training_loss",),
)
def overlap_of_each_with_each(*, faulty: bool) -> Patient:
    def pair_iou(here, there):
        low_a, high_a = here.split(2, -1)
        low_b, high_b = there.split(2, -1)
        shared = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(-1)
        area_a = (high_a - low_a).clamp(min=0).prod(-1, keepdim=faulty)
        area_b = (high_b - low_b).prod(-1)
        return shared / (area_a + area_b - shared + 1e-6)  # FAULT

    def outputs_loss(outputs, label, sides, size):
        def mean_iou(here, there):
            rate = pair_iou(here, there)
            return rate.mean(0) if rate.ndim == 2 else rate

        return free.outputs_loss(outputs, label, sides, size, pair_iou=mean_iou)

    return free.patient(free.FreeNet(), batch_loss=free.loss_with(outputs_loss=outputs_loss))
