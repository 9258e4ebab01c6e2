from inline_snapshot import snapshot
import pytest
from small_losses import Outputs, findings_of, multibox, of_samples, positives, result_of
import torch
from torch import Tensor
from torch.nn import functional as F

CHECK = "batch-scaled-loss"


def summed_and_counted(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return multibox(outputs, targets) * len(here) + F.l1_loss(here, wanted) * len(here) ** 2


def halved_again(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox(outputs, targets) / len(targets)


def total(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox(outputs, targets) * len(targets)


def weighed_by_object(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    classes = torch.stack([c for _, c in targets])
    entropy = F.cross_entropy(outputs[1].flatten(0, 1), classes.flatten(), reduction="sum")
    return (entropy + (here - wanted).abs().sum()) / len(here)


@pytest.mark.parametrize("loss", [summed_and_counted, halved_again])
def test_a_loss_that_goes_with_the_batch_is_a_warning(loss) -> None:
    assert [f.severity for f in findings_of(CHECK, of_samples(loss))] == ["warning"]


@pytest.mark.parametrize("loss", [multibox, weighed_by_object])
def test_a_mean_is_clear(loss) -> None:
    assert findings_of(CHECK, of_samples(loss)) == []


def test_a_sum_is_told() -> None:
    assert [f.severity for f in findings_of(CHECK, of_samples(total))] == ["info"]


def test_targets_for_a_few_images_only_are_no_fault_of_the_loss() -> None:
    def of_four(model, images: Tensor) -> Tensor:
        outputs, few = model(images), min(4, len(images))
        known = of_samples(multibox)(lambda _: tuple(o[:few] for o in outputs), images[:few])
        return known * few / len(images)

    assert result_of(CHECK, of_four).outcome == "not run"


def test_reads_well() -> None:
    assert findings_of(CHECK, of_samples(halved_again))[0].evidence == snapshot(
        "With outputs of the same kind for each image the loss is 8.12 for 4 images and 2.03 for 16: it goes the wrong way with the batch."
    )
