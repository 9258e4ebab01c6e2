"""One step of the optimizer: one or several batches, one change of the weights."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pocketdet.data.batches import Batch
from pocketdet.model import Predictions
from pocketdet.train.criterion import Criterion
from pocketdet.train.events import BatchSeen, StepDone
from pocketdet.train.loss import LossTerms
from pocketdet.train.non_finite import GRADIENT, bad_images, bad_terms, blame, image_files
from pocketdet.train.plan import TrainPlan
from pocketdet.train.precision import autocast, resolve_precision
from pocketdet.train.schedule import learning_rate
from pocketdet.train.state import TrainState
