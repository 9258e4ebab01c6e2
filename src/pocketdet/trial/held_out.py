"""The loss on pictures that were not trained on: the earliest sign of what a network learns."""

from collections.abc import Sequence

import torch

from pocketdet.conventions import Sample
from pocketdet.data.loading.batches import eval_batches
from pocketdet.model import Detector
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.train.criterion import criterion_of

NUM_IMAGES = 64
BATCH_SIZE = 16


@torch.inference_mode()
def held_out_loss(detector: Detector, samples: Sequence[Sample]) -> float:
    """Give the training loss, in evaluation mode, of the first pictures without augmentation."""
    criterion = criterion_of(detector)
    total, divisor = 0.0, 0.0
    with evaluation_mode(detector):
        for batch in eval_batches(samples[:NUM_IMAGES], detector.contract, batch_size=BATCH_SIZE):
            here = batch.to(detector.device)
            terms = criterion(detector(detector.preprocess(here.images)), criterion.targets(here))
            total += float(terms.total())
            divisor += float(terms.divisor.sum())
    return total / max(1.0, divisor)
