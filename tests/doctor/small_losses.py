"""Training losses for the small pipeline, in several styles, right and wrong in one respect."""

from collections.abc import Callable

from small_pipeline import NUM_CLASSES, SOUND, VARIANCES, cxcywh, encode, priors_xyxy, xyxy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pocketdet.doctor import DetectionPipeline, Finding, examine
from pocketdet.doctor.report import Result

Outputs = tuple[Tensor, Tensor]
Loss = Callable[[Outputs, list[Outputs]], Tensor]


class TwoHeads(nn.Module):
    """Images (b, 3, 96, 96) to deltas (b, rows, 4) and logits (b, rows, 1 + classes)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 8, stride=8), nn.ReLU())
        self.deltas = nn.Conv2d(16, 3 * 4, 3, padding=1)
        self.logits = nn.Conv2d(16, 3 * (1 + NUM_CLASSES), 3, padding=1)

    def forward(self, images: Tensor) -> Outputs:
        features = self.body(images)
        deltas = self.deltas(features).permute(0, 2, 3, 1).reshape(len(images), -1, 4)
        logits = self.logits(features).permute(0, 2, 3, 1)
        return deltas, logits.reshape(len(images), -1, 1 + NUM_CLASSES)


class WithAuxiliary(TwoHeads):
    """The same with an auxiliary classifier, of which `perfect` knows nothing."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        deltas, logits = super().forward(images)
        return deltas, logits, 0.5 * logits


def of_samples(loss: Loss, *, order: Callable[[list[int]], list[int]] = list):
    """The loss of a model and images: image n shows the n-th sample."""

    def training_loss(model: nn.Module, images: Tensor) -> Tensor:
        samples = [SOUND.samples[n % len(SOUND.samples)] for n in order(list(range(len(images))))]
        return loss(model(images), [encode(s.boxes_xyxy, s.labels) for s in samples])

    return training_loss


def classes_of(logits: Tensor, targets: list[Outputs]) -> Tensor:
    wanted = torch.stack([classes for _, classes in targets])
    return F.cross_entropy(logits.transpose(1, 2), wanted)


def positives(deltas: Tensor, targets: list[Outputs]) -> tuple[Tensor, Tensor]:
    there = torch.stack([classes for _, classes in targets]) > 0
    return deltas[there], torch.stack([wanted for wanted, _ in targets])[there]


def multibox(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return 20 * classes_of(outputs[1], targets) + F.smooth_l1_loss(here, wanted)


def boxes_of(deltas: Tensor, targets: list[Outputs]) -> tuple[Tensor, Tensor]:
    """The boxes of positive rows, as predicted and as wanted."""
    there = torch.stack([classes for _, classes in targets]) > 0
    priors = cxcywh(priors_xyxy()).expand(len(targets), -1, -1)[there]
    wanted = torch.stack([target for target, _ in targets])
    found: list[Tensor] = []
    for some in (deltas[there], wanted[there]):
        centres = priors[:, :2] + some[:, :2] * VARIANCES[0] * priors[:, 2:]
        found.append(xyxy(torch.cat([centres, priors[:, 2:] * (some[:, 2:] * 0.2).exp()], 1)))
    return found[0], found[1]


def overlap(one: Tensor, other: Tensor) -> Tensor:
    inner = torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])
    shared = inner.clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared + 1e-6)


def by_overlap(outputs: Outputs, targets: list[Outputs], *, change=lambda boxes: boxes) -> Tensor:
    here, wanted = (change(boxes) for boxes in boxes_of(outputs[0], targets))
    return 20 * classes_of(outputs[1], targets) + (1 - overlap(here, wanted)).mean()


def result_of(
    check: str,
    loss: Callable[..., Tensor],
    *,
    pipeline: DetectionPipeline | None = SOUND,
    network: type[TwoHeads] = TwoHeads,
) -> Result:
    torch.manual_seed(0)
    images = torch.stack([SOUND.preprocess(s.image) for s in SOUND.samples[:4]])  # type: ignore[misc]
    report = examine(network(), images, training_loss=loss, pipeline=pipeline, only=[check])
    return report.results[0]


def findings_of(check: str, loss: Callable[..., Tensor]) -> list[Finding]:
    result = result_of(check, loss)
    assert result.outcome in ("clear", "found"), result.reason
    return list(result.findings)
