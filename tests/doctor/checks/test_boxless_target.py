from inline_snapshot import snapshot
import pytest
from small_losses import (
    Outputs,
    by_overlap,
    classes_of,
    findings_of,
    multibox,
    of_samples,
    result_of,
)
from small_pipeline import SOUND, VARIANCES, altered, cxcywh, encode, priors_xyxy
import torch
from torch import Tensor
from torch.nn import functional as F

CHECK = "boxless-target"


def over_all_rows(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    wanted = torch.stack([deltas for deltas, _ in targets])
    return classes_of(outputs[1], targets) + F.smooth_l1_loss(outputs[0], wanted)


def gathered_with_negatives(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    """The rows of the hardest negatives are in the list from which boxes are gathered."""
    wanted, classes = (torch.stack(parts) for parts in zip(*targets, strict=True))
    positive = (classes > 0).flatten().nonzero()[:, 0]
    negative = (classes == 0).flatten().nonzero()[::5, 0]
    rows = torch.cat([positive, negative])
    here, there = outputs[0].flatten(0, 1)[rows], wanted.flatten(0, 1)[rows]
    return classes_of(outputs[1], targets) + (here - there).square().sum() / len(rows)


def stated_at_every_row():
    """The same pipeline, whose deltas lead from each prior to the nearest box."""

    def encode_all(boxes: Tensor, labels: Tensor) -> Outputs:
        _, classes = encode(boxes, labels)
        priors = cxcywh(priors_xyxy())
        if not len(boxes):
            return torch.zeros(len(priors), 4), classes
        nearest = cxcywh(boxes)[torch.cdist(priors[:, :2], cxcywh(boxes)[:, :2]).argmin(1)]
        offsets = (nearest[:, :2] - priors[:, :2]) / priors[:, 2:] / VARIANCES[0]
        sizes = (nearest[:, 2:] / priors[:, 2:]).log() / VARIANCES[1]
        return torch.cat([offsets, sizes], 1), classes

    def loss_of(loss):
        def training_loss(model, images: Tensor) -> Tensor:
            samples = [SOUND.samples[n % len(SOUND.samples)] for n in range(len(images))]
            return loss(model(images), [encode_all(s.boxes_xyxy, s.labels) for s in samples])

        return training_loss

    return altered(encode=encode_all), loss_of


@pytest.mark.parametrize(("loss", "outcome"), [(over_all_rows, "found"), (multibox, "clear")])
def test_boxes_that_are_stated_at_every_row_are_told_by_their_classes(loss, outcome) -> None:
    pipeline, loss_of = stated_at_every_row()
    result = result_of(CHECK, loss_of(loss), pipeline=pipeline)
    assert result.outcome == outcome, result.reason


def with_a_little_decay(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox(outputs, targets) + 1e-6 * outputs[0].square().sum()


def no_number_off_the_truth(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    """As the logarithm of an overlap: what lies elsewhere than the truth may have none."""
    wanted = torch.stack([deltas for deltas, _ in targets])
    return multibox(outputs, targets) + 0 * (1e-4 - (outputs[0] - wanted).abs()).log().sum()


def test_a_loss_that_is_no_number_for_changed_boxes_is_not_judged() -> None:
    assert result_of(CHECK, of_samples(no_number_off_the_truth)).outcome == "not run"


@pytest.mark.parametrize("loss", [over_all_rows, gathered_with_negatives])
def test_boxes_of_background_in_the_loss_are_found(loss) -> None:
    findings = findings_of(CHECK, of_samples(loss))
    assert [f.severity for f in findings] == ["error"]
    assert findings[0].source is not None


@pytest.mark.parametrize("loss", [multibox, by_overlap, with_a_little_decay])
def test_a_loss_of_positive_rows_is_clear(loss) -> None:
    assert findings_of(CHECK, of_samples(loss)) == []


def test_reads_well() -> None:
    assert findings_of(CHECK, of_samples(over_all_rows))[0].evidence == snapshot(
        "Boxes that are wrong at the rows that speak of objects cost the loss 0.0101 more, and the same change at all other rows, 97% of them, which say nothing of any object, costs 0.388."
    )
