"""Channels by what each level of the detector needs to detect on its own."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from pocketdet.compress.channels.scores import Scores, summed_by_unit
from pocketdet.compress.channels.units import ChannelGroups
from pocketdet.compress.workbench import Workbench
from pocketdet.data.loading.batch import Batch
from pocketdet.model import Detector, PointPredictions, Predictions, RawOutputs
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.model.head import LevelShape
from pocketdet.train.criterion import criterion_of


@dataclass(frozen=True, kw_only=True)
class Discrimination:
    """Discrimination-aware selection (Zhuang et al. 2018, arXiv 1810.11809, section 3.3).

    A channel's score is the squared gradient of losses at intermediate depths with respect to its
    kernels. Where the paper puts classifiers behind layers, a detector has predictions at several
    depths already: each level's own rows are matched with all boxes as if there were no other
    level, and give the detection loss of that depth. Each level weighs the same.

    The paper adds channels one after the other, with training in between; here one pass over
    `num_batches` batches of `batch_size` training images ranks them all.
    """

    num_batches: int = 8
    batch_size: int = 8

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        number = self.num_batches * self.batch_size
        batches = bench.calibration_batches(detector, number, batch_size=self.batch_size)
        totals: Scores = [np.zeros(len(group)) for group in groups.groups]
        with evaluation_mode(detector):
            levels = _rows_of_levels(detector)
            for done, rows in enumerate(levels):
                bench.progress("scoring channels", done, len(levels))
                of_level = summed_by_unit(groups, _squared_gradients(detector, batches, rows))
                whole = sum(float(np.nansum(own)) for own in of_level)
                for total, own in zip(totals, of_level, strict=True):
                    total += own / max(whole, 1e-30)
        return totals


@torch.no_grad()
def _rows_of_levels(detector: Detector) -> list[slice]:
    """Give the rows of raw outputs that come from each prediction of the head."""
    height, width = detector.contract.height, detector.contract.width
    image = torch.zeros(1, 3, height, width, device=detector.device)
    shapes = tuple(LevelShape.of(level) for level in detector.neck(detector.levels(image)))
    numbers = [c.num_places for c in detector.config.head.coverage(shapes, (height, width))]
    ends = list(accumulate(numbers))
    return [slice(end - number, end) for end, number in zip(ends, numbers, strict=True)]


def _squared_gradients(detector: Detector, batches: list[Batch], rows: slice) -> dict[str, Tensor]:
    totals: dict[str, Tensor] = {}
    for batch in batches:
        criterion = criterion_of(detector, places_cxcywh=detector.places_cxcywh[rows])
        outputs = _rows(detector(detector.preprocess(batch.images)), rows)
        terms = criterion(outputs, criterion.targets(batch))
        detector.zero_grad(set_to_none=True)
        (terms.total() / terms.divisor.sum().clamp(min=1)).backward()
        for name, parameter in detector.named_parameters():
            if parameter.grad is not None and parameter.dim() > 1:
                squared = parameter.grad.square()
                totals[name] = totals[name] + squared if name in totals else squared
    detector.zero_grad(set_to_none=True)
    return totals


def _rows(outputs: RawOutputs, rows: slice) -> RawOutputs:
    match outputs:
        case Predictions():
            return Predictions(
                outputs.class_logits[:, rows],
                outputs.box_deltas[:, rows],
                outputs.priors_cxcywh[rows],
            )
        case PointPredictions():
            return PointPredictions(
                outputs.class_logits[:, rows],
                outputs.side_logits[:, rows],
                outputs.cells_cxcywh[rows],
            )
