"""Labels, boxes and the metric: the data's way there and back."""

import torch
from torch import Tensor

from seeded.boxes import Found, overlap, suppress
from seeded.hosts import anchors, centre, free, pyramid
from seeded.program import Patient, program
from seeded.scenes import Scene


@program(
    host="anchors",
    rank=1,
    mechanism="labels collide with background",
    cases=("Deci-AI/super-gradients#219", "lzx1413/PytorchSSD#7"),
    where=("pipeline.encode",),
)
def class_zero_is_background(*, faulty: bool) -> Patient:
    def encode(boxes, labels, *, size=anchors.SIZE):
        priors = anchors.anchors(size)
        owner = anchors.match(boxes, anchors.corners(priors))
        taken = owner >= 0
        shift = 0 if faulty else 1
        wanted = torch.where(taken, labels[owner.clamp(min=0)] + shift, 0)  # FAULT
        delta = anchors.to_deltas(boxes[owner.clamp(min=0)], priors) * taken[:, None]
        return {"label": wanted, "delta": delta}

    return anchors.patient(
        anchors.SingleShot(), encode=encode, batch_loss=anchors.loss_with(encode)
    )


@program(
    host="anchors",
    rank=1,
    mechanism="a class that can never be found",
    cases=("google/automl#391",),
    where=("pipeline.encode", "confidence.0", "confidence.1", ""),
)
def no_output_left_for_the_last_class(*, faulty: bool) -> Patient:
    outputs = anchors.CLASSES if faulty else anchors.CLASSES + 1  # FAULT

    def encode(boxes, labels, *, size=anchors.SIZE):
        targets = anchors.encode(boxes, labels, size=size)
        return targets | {"label": targets["label"].clamp(max=outputs - 1)}

    return anchors.patient(
        anchors.SingleShot(outputs=outputs),
        encode=encode,
        batch_loss=anchors.loss_with(encode),
        perfect=lambda targets: anchors.perfect(targets, outputs=outputs),
    )


@program(
    host="pyramid",
    rank=1,
    mechanism="category ids off by one",
    cases=("bubbliiiing/yolo3-pytorch#91", "supervisely-ecosystem/RT-DETRv2#52"),
    where=("pipeline.decode",),
)
def detections_numbered_from_one(*, faulty: bool) -> Patient:
    def decode(outputs):
        found = pyramid.decode(outputs)
        first = 1 if faulty else 0
        return [
            Found(boxes_xyxy=f.boxes_xyxy, scores=f.scores, labels=f.labels + first)  # FAULT
            for f in found
        ]

    return pyramid.patient(pyramid.Retina(), decode=decode)


@program(
    host="free",
    rank=1,
    mechanism="category map is no bijection",
    cases=("THU-MIG/yolov10#356",),
    where=("pipeline.decode",),
)
def two_outputs_share_a_category(*, faulty: bool) -> Patient:
    category = {0: 0, 1: 1, 2: 1 if faulty else 2}  # FAULT

    def decode(outputs):
        table = torch.tensor([category[i] for i in range(free.CLASSES)])
        return [
            Found(boxes_xyxy=f.boxes_xyxy, scores=f.scores, labels=table[f.labels])
            for f in free.decode(outputs)
        ]

    return free.patient(free.FreeNet(), decode=decode)


@program(
    host="centre",
    rank=1,
    mechanism="category ids off by one",
    cases=("microsoft/computervision-recipes#315",),
    where=("pipeline.encode",),
)
def heat_of_one_class_in_the_map_of_another(*, faulty: bool) -> Patient:
    def encode(boxes, labels, *, size=centre.SIZE):
        channel = labels - 1 if faulty else labels  # FAULT
        return centre.encode(boxes, channel, size=size)

    return centre.patient(centre.CentreNet(), encode=encode, batch_loss=centre.loss_with(encode))


@program(
    host="anchors",
    rank=2,
    mechanism="box formats mixed up",
    cases=("keras-team/keras-cv#1152",),
    where=("pipeline.encode",),
)
def corner_where_the_centre_belongs(*, faulty: bool) -> Patient:
    def encode(boxes, labels, *, size=anchors.SIZE):
        priors = anchors.anchors(size)
        targets = anchors.encode(boxes, labels, size=size)
        owner = anchors.match(boxes, anchors.corners(priors)).clamp(min=0)
        mine = boxes[owner]
        wide = mine[:, 2:] - mine[:, :2]
        place = mine[:, :2] if faulty else mine[:, :2] + wide / 2  # FAULT
        shift = (place - priors[:, :2]) / priors[:, 2:] / anchors.VARIANCES[0]
        scale = (wide / priors[:, 2:]).log() / anchors.VARIANCES[1]
        there = (targets["label"] > 0)[:, None]
        return {"label": targets["label"], "delta": torch.cat([shift, scale], 1) * there}

    return anchors.patient(
        anchors.SingleShot(), encode=encode, batch_loss=anchors.loss_with(encode)
    )


@program(
    host="anchors",
    rank=2,
    mechanism="encoding and decoding are not inverse",
    cases=("Stick-To/Object-Detection-Tensorflow#8",),
    where=("pipeline.encode",),
)
def no_variances_when_encoding(*, faulty: bool) -> Patient:
    def encode(boxes, labels, *, size=anchors.SIZE):
        targets = anchors.encode(boxes, labels, size=size)
        if faulty:
            variances = torch.tensor([0.1, 0.1, 0.2, 0.2])
            targets["delta"] = targets["delta"] * variances  # FAULT
        return targets

    return anchors.patient(
        anchors.SingleShot(), encode=encode, batch_loss=anchors.loss_with(encode)
    )


@program(
    host="pyramid",
    rank=2,
    mechanism="box formats mixed up",
    cases=("facebookresearch/detectron2#2632", "keras-team/keras-cv#933"),
    where=("pipeline.encode",),
)
def overlap_of_corners_with_extents(*, faulty: bool) -> Patient:
    def encode(boxes, labels, *, size=pyramid.SIZE):
        priors = pyramid.anchors(size)
        given = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        seen = given if faulty else boxes  # FAULT
        owner = anchors.match(seen, anchors.corners(priors))
        taken = owner >= 0
        label = torch.where(taken, labels[owner.clamp(min=0)], -1)
        delta = anchors.to_deltas(boxes[owner.clamp(min=0)], priors) * taken[:, None]
        return {"label": label, "delta": delta}

    return pyramid.patient(pyramid.Retina(), encode=encode, batch_loss=pyramid.loss_with(encode))


@program(
    host="free",
    rank=2,
    mechanism="box formats mixed up",
    cases=("stevebottos/owl-vit-object-detection#14",),
    where=("training_loss",),
)
def overlap_loss_of_centres_and_extents(*, faulty: bool) -> Patient:
    def pair_iou(here: Tensor, there: Tensor) -> Tensor:
        if faulty:
            here, there = anchors.centres(here), anchors.centres(there)  # FAULT
        return free.iou_of_pairs(here, there)

    def outputs_loss(outputs, label, sides, size):
        return free.outputs_loss(outputs, label, sides, size, pair_iou=pair_iou)

    return free.patient(free.FreeNet(), batch_loss=free.loss_with(outputs_loss=outputs_loss))


@program(
    host="centre",
    rank=2,
    mechanism="boxes do not move with their pixels",
    cases=("KaihuaTang/Scene-Graph-Benchmark.pytorch#92",),
    where=("pipeline.transform",),
)
def picture_mirrored_without_its_boxes(*, faulty: bool) -> Patient:
    def mirror(scene: Scene) -> Scene:
        if torch.rand(()) < 0.5:
            return scene
        left, top, right, bottom = scene.boxes_xyxy.T
        width = scene.image.shape[2]
        moved = torch.stack([width - right, top, width - left, bottom], 1)
        boxes = scene.boxes_xyxy if faulty else moved  # FAULT
        return Scene(image=scene.image.flip(2), boxes_xyxy=boxes, labels=scene.labels)

    return centre.patient(centre.CentreNet(), transform=mirror)


@program(
    host="pyramid",
    rank=2,
    mechanism="boxes do not move with their pixels",
    cases=("fredzzhang/pocket#23", "mindee/doctr#1438"),
    where=("pipeline.transform",),
)
def sides_not_swapped_by_a_mirror(*, faulty: bool) -> Patient:
    def mirror(scene: Scene) -> Scene:
        if torch.rand(()) < 0.5:
            return scene
        boxes = scene.boxes_xyxy.clone()
        columns = [0, 2] if faulty else [2, 0]
        boxes[:, [0, 2]] = scene.image.shape[-1] - boxes[:, columns]  # FAULT
        return Scene(image=scene.image.flip(-1), boxes_xyxy=boxes, labels=scene.labels)

    return pyramid.patient(pyramid.Retina(), transform=mirror)


@program(
    host="anchors",
    rank=2,
    mechanism="the metric is wrong",
    cases=("roboflow/supervision#1895",),
    where=("pipeline.evaluate",),
)
def first_match_counts_as_none(*, faulty: bool) -> Patient:
    def evaluate(found, scenes):
        """Precision at the best recall, box after box; a match is the number of its box."""
        first = 0 if faulty else 1
        right = total = wrong = 0
        for detections, scene in zip(found, scenes, strict=True):
            ids = torch.arange(first, first + len(scene.labels))
            free_, total = set(ids.tolist()), total + len(ids)
            table = overlap(detections.boxes_xyxy, scene.boxes_xyxy)
            for row, label, score in zip(table, detections.labels, detections.scores, strict=True):
                fits = (row >= 0.5) & (scene.labels == label)
                match = int((ids * fits).max())
                if match and match in free_:  # FAULT
                    free_.discard(match)
                    right += 1
                elif score > 0.3:
                    wrong += 1
        return right / max(total + wrong, 1)

    return anchors.patient(anchors.SingleShot(), evaluate=evaluate)


@program(
    host="centre",
    rank=2,
    mechanism="the metric is wrong",
    cases=("lyft/nuscenes-devkit#47",),
    where=("pipeline.evaluate",),
    not_trained="a metric that flatters: the network itself is as good as its twin",
)
def larger_boxes_score_better(*, faulty: bool) -> Patient:
    def evaluate(found, scenes):
        hits = total = 0
        for detections, scene in zip(found, scenes, strict=True):
            total += len(scene.labels)
            for box, label in zip(scene.boxes_xyxy, scene.labels, strict=True):
                mine = detections.boxes_xyxy[detections.labels == label]
                low, high = torch.maximum(mine[:, :2], box[:2]), torch.minimum(mine[:, 2:], box[2:])
                shared = (high - low).clamp(min=0).prod(1)
                own = (box[2:] - box[:2]).prod()
                theirs = (mine[:, 2:] - mine[:, :2]).prod(1)
                whole = own if faulty else own + theirs - shared  # FAULT
                hits += bool((shared / whole >= 0.5).any())
        return hits / max(total, 1)

    return centre.patient(centre.CentreNet(), evaluate=evaluate)


@program(
    host="free",
    rank=2,
    mechanism="boxes returned at another scale",
    cases=("google/automl#449", "armandmcqueen/tensorpack-mask-rcnn#25"),
    where=("pipeline.decode",),
)
def boxes_scaled_by_the_padded_size(*, faulty: bool) -> Patient:
    """Pictures are halved, then padded on the right and below."""

    def preprocess(image):
        small = image.float().unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).mean((2, 4))
        canvas = torch.zeros(3, 48, 64)
        canvas[:, : small.shape[1], : small.shape[2]] = (small / 255 - 0.35) / 0.25
        return canvas

    def encode(boxes, labels, *, size=(48, 64)):
        return free.encode(boxes * 0.5 if size == (48, 64) else boxes, labels, size=size)

    def batch_encode(boxes, labels, *, size):
        return free.encode(boxes / 2, labels, size=size)

    def decode(outputs):
        scale = torch.tensor([96 / 64, 64 / 48] * 2) if faulty else 2.0  # FAULT
        return [
            Found(boxes_xyxy=f.boxes_xyxy * scale, scores=f.scores, labels=f.labels)
            for f in free.decode(outputs, size=(48, 64))
        ]

    return free.patient(
        free.FreeNet(),
        preprocess=preprocess,
        encode=encode,
        batch_loss=free.loss_with(batch_encode),
        decode=decode,
    )


@program(
    host="anchors",
    rank=2,
    mechanism="suppression deletes what it should keep",
    cases=("zylo117/Yet-Another-EfficientDet-Pytorch#270",),
    where=("pipeline.decode",),
)
def suppression_with_the_lowest_score_first(*, faulty: bool) -> Patient:
    def decode(rows):
        found = []
        for scores, deltas in zip(rows[0].softmax(-1)[..., 1:], rows[1], strict=True):
            best, label = scores.max(-1)
            boxes = anchors.to_boxes(deltas, anchors.anchors())
            sure = best > 0.05
            rank = -best[sure] if faulty else best[sure]
            kept = suppress(boxes[sure], rank, label[sure])  # FAULT
            found.append(
                Found(boxes_xyxy=kept.boxes_xyxy, scores=kept.scores.abs(), labels=kept.labels)
            )
        return found

    return anchors.patient(anchors.SingleShot(), decode=decode)


def _settled(host_patient: Patient, images: list[Tensor]) -> Patient:
    """As if from a checkpoint: BatchNorm statistics of the right contract, held fixed since."""
    norms = [m for m in host_patient.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    host_patient.model.train()
    with torch.no_grad():
        for first in range(0, len(images), 8):
            host_patient.model(torch.stack(images[first : first + 8]))
    for norm in norms:
        norm.momentum = 0.1
    host_patient.model.eval()
    return host_patient


@program(
    host="anchors",
    rank=3,
    mechanism="the input is not what the weights expect",
    cases=("open-mmlab/mmdetection#1586", "jwyang/faster-rcnn.pytorch#60"),
    where=("pipeline.preprocess",),
    not_trained="the statistics stand for a checkpoint; a training from scratch forgets them",
)
def unit_range_into_byte_weights(*, faulty: bool) -> Patient:
    def bytes_(image):
        return image.float() - 100.0

    def unit(image):
        return image.float() / 255 - 100.0 / 255

    preprocess = unit if faulty else bytes_  # FAULT
    patient = anchors.patient(anchors.SingleShot(), preprocess=preprocess)
    assert patient.pipeline
    return _settled(patient, [bytes_(s.image) for s in patient.pipeline.samples])


@program(
    host="pyramid",
    rank=3,
    mechanism="the input is not what the weights expect",
    cases=("karpathy/neuraltalk2#23", "amdegroot/ssd.pytorch#44"),
    where=("pipeline.preprocess",),
    not_trained="the statistics stand for a checkpoint; a training from scratch forgets them",
)
def colours_the_other_way_round(*, faulty: bool) -> Patient:
    mean = torch.tensor([0.62, 0.4, 0.15])[:, None, None]
    deviation = torch.tensor([0.1, 0.2, 0.3])[:, None, None]

    def tinted(image):
        return (image.float() / 255 * 0.4 + torch.tensor([0.5, 0.25, 0.05])[:, None, None]).clamp(
            0, 1
        )

    def rgb(image):
        return (tinted(image) - mean) / deviation

    def bgr(image):
        return (tinted(image).flip(0) - mean) / deviation

    preprocess = bgr if faulty else rgb  # FAULT
    patient = pyramid.patient(pyramid.Retina(), preprocess=preprocess)
    assert patient.pipeline
    return _settled(patient, [rgb(s.image) for s in patient.pipeline.samples])
