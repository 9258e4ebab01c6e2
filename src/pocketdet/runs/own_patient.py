"""Our own detectors as patients: everything that the doctor can be told of them is filled in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.conventions import Detections, InputContract, Sample, cxcywh_to_xyxy
from pocketdet.data.augment.augmentation import Augmentation
from pocketdet.data.dataset import Traits
from pocketdet.data.loading.batch import Batch
from pocketdet.data.loading.epoch_order import Draw, sample_rng
from pocketdet.doctor import DetectionPipeline
from pocketdet.evaluate import evaluate_detections
from pocketdet.model import Detector, RawOutputs
from pocketdet.train.criterion import criterion_of
from pocketdet.train.optimizer import build_optimizer
from pocketdet.train.settings import TrainSettings

NUM_SAMPLES = 48  # of the data: enough to see every class of most sets
BATCH = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnPatient:
    """What `examine` takes, by name."""

    model: Detector
    inputs: Tensor
    training_loss: Any
    optimizer: torch.optim.Optimizer
    row_boxes: Tensor
    pipeline: DetectionPipeline | None

    def arguments(self) -> dict[str, Any]:
        """Give them as keyword arguments of `examine`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def own_patient(
    detector: Detector,
    *,
    samples: Sequence[Sample] = (),
    traits: Traits | None = None,
    settings: TrainSettings | None = None,
) -> OwnPatient:
    """Prepare a detector for `examine`; with samples (pixels of their pictures), its data's way."""
    settings = settings or TrainSettings()
    fitted = [_fitted(sample, detector.contract) for sample in samples[:NUM_SAMPLES]]
    return OwnPatient(
        model=detector,
        inputs=_inputs(detector, fitted),
        training_loss=TrainingLoss(fitted),
        optimizer=build_optimizer(detector, settings),
        row_boxes=cxcywh_to_xyxy(detector.places_cxcywh),
        pipeline=_pipeline(detector, fitted, traits or Traits(), settings) if fitted else None,
    )


class TrainingLoss:
    """The loss of training, on the samples' boxes, or on boxes of many sizes where there are none.

    The same batch size gives the same boxes every time, so that a network can learn them.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __call__(self, model: nn.Module, inputs: Tensor) -> Tensor:
        predictions: RawOutputs = model(inputs)
        detector = model
        assert isinstance(detector, Detector)
        criterion = criterion_of(detector, places_cxcywh=predictions.places_cxcywh)
        labelled = [self._labelled(number, inputs, detector) for number in range(len(inputs))]
        terms = criterion(predictions, criterion.targets(_batch(labelled)))
        return terms.total() / terms.divisor.sum().clamp(min=1)

    def _labelled(self, number: int, inputs: Tensor, detector: Detector) -> tuple[Tensor, Tensor]:
        height, width = int(inputs.shape[-2]), int(inputs.shape[-1])
        if self.samples and (height, width) == self.samples[0].size:
            sample = self.samples[number % len(self.samples)]
            return sample.boxes_xyxy, sample.labels
        return _scattered_boxes(number, height, width, len(detector.classes))


def _batch(labelled: Sequence[tuple[Tensor, Tensor]]) -> Batch:
    """Make a batch of labels alone: targets do not look at pictures."""
    return Batch(
        images=torch.zeros(len(labelled), 3, 1, 1, dtype=torch.uint8),
        packed_boxes_xyxy=torch.cat([boxes for boxes, _ in labelled]),
        packed_labels=torch.cat([labels for _, labels in labelled]),
        counts=tuple(len(labels) for _, labels in labelled),
        image_ids=[str(number) for number in range(len(labelled))],
        indices=list(range(len(labelled))),
        placements=[],
    )


def _scattered_boxes(
    number: int, height: int, width: int, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Draw five boxes, from a twentieth to most of the picture, and their labels."""
    generator = torch.Generator().manual_seed(number)
    size = torch.tensor([0.06, 0.12, 0.22, 0.4, 0.7])[:, None] * torch.tensor([width, height])
    room = torch.tensor([width, height]) - size
    corner = torch.rand(5, 2, generator=generator) * room
    labels = torch.randint(0, num_classes, (5,), generator=generator)
    return torch.cat([corner, corner + size], dim=1), labels


def _fitted(sample: Sample, contract: InputContract) -> Sample:
    image, placement = contract.fit(sample.image)
    sound = ~(sample.difficult | sample.crowd)
    moved = replace(sample, picture=image, boxes_xyxy=placement.to_input(sample.boxes_xyxy))
    return moved.keep(sound)


def _inputs(detector: Detector, samples: Sequence[Sample]) -> Tensor:
    if samples:
        images = torch.stack([samples[n % len(samples)].image for n in range(BATCH)])
    else:
        contract = detector.contract
        generator = torch.Generator().manual_seed(0)
        shape = (BATCH, 3, contract.height, contract.width)
        images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return detector.preprocess(images)


def _pipeline(
    detector: Detector, samples: Sequence[Sample], traits: Traits, settings: TrainSettings
) -> DetectionPipeline:
    criterion = criterion_of(detector)
    augmentation = Augmentation(detector.contract, traits, settings.augmentation)
    drawn = 0

    def transform(sample: Sample) -> Sample:
        nonlocal drawn
        drawn += 1
        return augmentation(sample, sample_rng(settings.seed, Draw(0, drawn, 0)))

    def encode(boxes_xyxy: Tensor, labels: Tensor) -> Any:
        return criterion.targets(_batch([(boxes_xyxy, labels)]))

    def perfect(targets: Any) -> RawOutputs:
        return criterion.perfect(targets, num_classes=len(detector.classes))

    def evaluate(found: list[Detections], labelled: list[Sample]) -> float:
        return evaluate_detections(found, labelled, detector.classes).ap

    return DetectionPipeline(
        samples=samples,
        num_classes=len(detector.classes),
        transform=transform,
        preprocess=lambda image: detector.preprocess(image[None]),
        encode=encode,
        perfect=perfect,
        decode=detector.decode,
        evaluate=evaluate,
    )
