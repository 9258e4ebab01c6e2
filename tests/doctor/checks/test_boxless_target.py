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
