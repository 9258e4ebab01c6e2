from inline_snapshot import snapshot
import pytest
from small_losses import (
    Outputs,
    WithAuxiliary,
    by_overlap,
    classes_of,
    findings_of,
    multibox,
    of_samples,
    positives,
    result_of,
)
from small_pipeline import NUM_CLASSES, cxcywh
import torch
from torch import Tensor
from torch.nn import functional as F

CHECK = "unrewarded-truth"


def climbing(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return 20 * classes_of(outputs[1], targets) - F.smooth_l1_loss(here, wanted)


def without_heights(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return 20 * classes_of(outputs[1], targets) + (here - wanted).abs()[:, :3].mean()


def weighed_with_nothing(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return 20 * classes_of(outputs[1], targets) + 0.0 * F.mse_loss(here, wanted)


def one_class_on(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    moved = [(d, torch.where(c > 0, c % NUM_CLASSES + 1, c)) for d, c in targets]
    return multibox(outputs, moved)


def without_variances(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox(outputs, [(d * torch.tensor([0.1, 0.1, 0.2, 0.2]), c) for d, c in targets])


def first_image_only(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox((outputs[0][:1], outputs[1][:1]), targets[:1])


def all_classes_alike(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    said = torch.stack([outputs[1][..., 0], outputs[1][..., 1:].logsumexp(-1)], -1)
    return multibox((outputs[0], said), [(d, c.clamp(max=1)) for d, c in targets])


def mined(outputs: Outputs, targets: list[Outputs], *, hardest: bool = True) -> Tensor:
    """Three negatives a positive."""
    classes = torch.stack([c for _, c in targets])
    entropy = F.cross_entropy(outputs[1].transpose(1, 2), classes, reduction="none").flatten()
    there = (classes > 0).flatten()
    negatives = entropy[~there].sort(descending=hardest).values[: 3 * int(there.sum())]
    here, wanted = positives(outputs[0], targets)
    return entropy[there].mean() + negatives.mean() + F.smooth_l1_loss(here, wanted)


def easiest_mined(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return mined(outputs, targets, hardest=False)


def upper_half_only(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    half = outputs[0].shape[1] // 2
    return multibox(
        (outputs[0][:, :half], outputs[1][:, :half]), [(d[:half], c[:half]) for d, c in targets]
    )


def smoothed(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    classes = torch.stack([c for _, c in targets])
    entropy = F.cross_entropy(outputs[1].transpose(1, 2), classes, label_smoothing=0.1)
    return 20 * entropy + (here - wanted).square().sum(1).sqrt().mean()


def kept_small(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    return multibox(outputs, targets) + 1e-5 * outputs[0].square().sum() + outputs[1].abs().mean()


def image_by_image(model, images: Tensor) -> Tensor:
    def first_of(number: int):
        return of_samples(multibox, order=lambda _: [number])(model, images[number : number + 1])

    return torch.stack([first_of(n) for n in range(len(images))]).mean()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (climbing, "boxes that are wrong in"),
        (without_heights, "Boxes that are wrong in height by 15% cost exactly"),
        (weighed_with_nothing, "does not look at them in any respect"),
        (one_class_on, "the right boxes with other classes cost"),
        (without_variances, "boxes that are wrong in"),
        (easiest_mined, "nothing punishes false objects"),
        (upper_half_only, "the loss does not ask for them"),
        (first_image_only, "of image 1, 2 of the batch of 3"),
    ],
)
def test_a_loss_for_which_something_else_is_as_good_is_an_error(loss, words: str) -> None:
    findings = findings_of(CHECK, of_samples(loss))
    assert [f.severity for f in findings if words in f.evidence] == ["error"]


def test_targets_of_another_image_are_an_error() -> None:
    findings = findings_of(CHECK, of_samples(multibox, order=lambda n: n[1:] + n[:1]))
    assert [f.severity for f in findings] == ["error"]
    assert "asks for the objects of samples 1, 2, 0" in findings[0].evidence


def test_an_overlap_of_centres_and_sizes_is_a_warning() -> None:
    def loss(outputs: Outputs, targets: list[Outputs]) -> Tensor:
        return by_overlap(outputs, targets, change=cxcywh)

    findings = findings_of(CHECK, of_samples(loss))
    assert [f.severity for f in findings] == ["warning"]
    assert findings[0].source is not None
    assert findings[0].source.startswith("small_losses.py")


def test_a_loss_without_classes_is_a_warning() -> None:
    assert [f.severity for f in findings_of(CHECK, of_samples(all_classes_alike))] == ["warning"]


@pytest.mark.parametrize("loss", [multibox, by_overlap, smoothed, kept_small, mined])
def test_sound_losses_are_clear(loss) -> None:
    assert findings_of(CHECK, of_samples(loss)) == []


def test_a_loss_that_asks_image_by_image_is_clear() -> None:
    assert findings_of(CHECK, image_by_image) == []


@pytest.mark.parametrize(("sound", "outcome"), [(True, "clear"), (False, "found")])
def test_auxiliary_outputs_that_perfect_does_not_state_are_left_alone(sound, outcome) -> None:
    def loss(outputs: tuple[Tensor, ...], targets: list[Outputs]) -> Tensor:
        main = multibox if sound else without_variances
        return main(outputs[:2], targets) + classes_of(outputs[2], targets)

    result = result_of(CHECK, of_samples(loss), network=WithAuxiliary)
    assert result.outcome == outcome, result.reason


def test_a_loss_of_other_boxes_is_not_judged() -> None:
    def of_chance(outputs: Outputs, targets: list[Outputs]) -> Tensor:
        drawn = torch.Generator().manual_seed(5)
        other = [(torch.randn(d.shape, generator=drawn), c.roll(100)) for d, c in targets]
        return multibox(outputs, other)

    assert result_of(CHECK, of_samples(of_chance)).outcome == "not run"


def test_a_loss_that_needs_more_than_the_outputs_is_not_judged() -> None:
    def of_parts(model, images: Tensor) -> Tensor:
        return model.deltas(model.body(images)).square().mean()

    result = result_of(CHECK, of_parts)
    assert (result.outcome, result.reason) == (
        "not run",
        "the loss does not run the model as a whole",
    )


def test_reads_well() -> None:
    assert findings_of(CHECK, of_samples(without_variances))[0].evidence == snapshot(
        "Outputs that state the truth cost 0.4428, and ones that state boxes that are wrong in x by 15% cost 0.4201, less: by `smooth_l1_loss` it is 0.443 for the truth and 0.42 then. So do boxes that are wrong in height by 15%, boxes that are wrong in y by 15%."
    )
