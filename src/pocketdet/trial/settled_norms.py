"""Statistics of batch norms measured anew, so that a short training can be evaluated.

Running statistics with a momentum of .03 are still a third of their start after 40 steps, and the
loss in evaluation mode is then e⁵ instead of 5: it says how old they are and nothing else.
"""

from collections.abc import Sequence
import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from pocketdet.conventions import Sample
from pocketdet.data.loading.batches import eval_batches
from pocketdet.model import Detector

BATCH_SIZE = 16


@torch.no_grad()
def with_settled_norms(detector: Detector, samples: Sequence[Sample]) -> Detector:
    """Give a copy in evaluation mode whose batch norms know the plain pictures of `samples`.

    Each has the mean of the statistics of batches of 16; one that keeps none, or is frozen in
    evaluation mode, is left as it is.
    """
    settled = copy.deepcopy(detector)
    norms = [norm for norm in _norms(settled) if norm.training and norm.track_running_stats]
    settled.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # All batches alike.
        norm.train()
    for batch in eval_batches(samples, settled.contract, batch_size=BATCH_SIZE):
        settled(settled.preprocess(batch.to(settled.device).images))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return settled.eval()


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
