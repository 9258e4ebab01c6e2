"""From detections and samples to an evaluation."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.coco import ALL, AT_100, IOU_50, IOU_75, CocoScores, coco_scores, mean
from pocketdet.evaluate.evaluation import ClassResult, Evaluation, PrecisionCurves
from pocketdet.evaluate.voc import VocMatches, voc_ap, voc_matches


def evaluate_detections(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> Evaluation:
    """Score detections against samples: one entry an image, in the same order.

    Both are in pixels of the image, and their labels are places in `classes`.
    """
    start = perf_counter()
    detections = [found.to("cpu") for found in detections]
    _refuse_what_does_not_fit(detections, samples, classes)
    coco = coco_scores(detections, samples, classes)
    voc = voc_matches(detections, samples, classes)
    results = _class_results(coco, voc, classes)
    precision = coco.precision[..., ALL, AT_100]
    return Evaluation(
        **coco.numbers(),
        voc07_map50=mean(np.array([result.voc07_ap50 for result in results])),
        area_map50=mean(np.array([result.area_ap50 for result in results])),
        classes=results,
        curves=PrecisionCurves(
            recall=np.linspace(0, 1, precision.shape[1]),
            at_50=precision[IOU_50].T,
            at_75=precision[IOU_75].T,
        ),
        num_images=len(samples),
        num_boxes=int(voc.num_boxes.sum()),
        num_detections=len(voc.labels),
        seconds=perf_counter() - start,
    )


def _class_results(
    coco: CocoScores, voc: VocMatches, classes: ClassList
) -> tuple[ClassResult, ...]:
    precision, recall = coco.precision[..., ALL, AT_100], coco.recall[..., ALL, AT_100]
    eleven = voc_ap(voc, points="eleven")
    area = voc_ap(voc, points="every")
    num_detections = np.bincount(voc.labels, minlength=len(classes))
    return tuple(
        ClassResult(
            name=name,
            ap=mean(precision[:, :, label]),
            ap50=mean(precision[IOU_50, :, label]),
            ap75=mean(precision[IOU_75, :, label]),
            ar_100=mean(recall[:, label]),
            voc07_ap50=float(eleven[label]),
            area_ap50=float(area[label]),
            num_boxes=int(voc.num_boxes[label]),
            num_detections=int(num_detections[label]),
        )
        for label, name in enumerate(classes)
    )


def _refuse_what_does_not_fit(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> None:
    if len(detections) != len(samples):
        raise ValueError(
            "`detections` must have one entry for each of `samples`; got "
            f"{len(detections)} for {len(samples)}."
        )
    for what, items in (("detections", detections), ("samples", samples)):
        labels = {int(label) for item in items for label in item.labels.unique()}
        unknown = sorted(labels - set(range(len(classes))))
        if unknown:
            raise ValueError(
                f"The labels of `{what}` must be places in the class list, 0 to "
                f"{len(classes) - 1}; got {unknown[0]}."
            )
