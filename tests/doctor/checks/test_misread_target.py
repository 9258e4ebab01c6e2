from inline_snapshot import snapshot
import pytest
from small_losses import Outputs, findings_of, multibox, of_samples, result_of
from small_pipeline import NUM_CLASSES, SIZE, SOUND, altered, encode
import torch
from torch import Tensor, nn

CHECK = "misread-target"


def background_last(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    """The network's last column is taken for the background."""
    moved = [(d, torch.where(c > 0, c - 1, NUM_CLASSES)) for d, c in targets]
    return multibox(outputs, moved)


def with_boxes(change):
    def training_loss(model: nn.Module, images: Tensor) -> Tensor:
        samples = [SOUND.samples[n % len(SOUND.samples)] for n in range(len(images))]
        boxes = [change(s.boxes_xyxy) for s in samples]
        targets = [encode(b, s.labels) for b, s in zip(boxes, samples, strict=True)]
        return multibox(model(images), targets)

    return training_loss


def size_for_corner(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def mirroring(*, boxes_too: bool):
    """Flip every other image where the loss is computed."""

    def training_loss(model: nn.Module, images: Tensor) -> Tensor:
        flips = torch.arange(len(images)) % 2 == 1
        targets = []
        for n, flip in enumerate(flips.tolist()):
            sample = SOUND.samples[n % len(SOUND.samples)]
            boxes = sample.boxes_xyxy.clone()
            if flip and boxes_too:
                boxes[:, [0, 2]] = SIZE - boxes[:, [2, 0]]
            targets.append(encode(boxes, sample.labels))
        shown = torch.where(flips[:, None, None, None], images.flip(-1), images)
        return multibox(model(shown), targets)

    return training_loss


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (of_samples(background_last), "at every row"),
        (with_boxes(lambda b: b.flip(1).roll(2, 1)), "with x and y exchanged"),
        (with_boxes(size_for_corner), "with two corners read as corner and size"),
        (mirroring(boxes_too=False), "The loss of image 1 of the batch"),
    ],
)
def test_a_loss_that_reads_its_samples_otherwise_is_an_error(loss, words: str) -> None:
    findings = findings_of(CHECK, loss)
    assert [f.severity for f in findings if words in f.evidence] == ["error"]


def shifting(*, boxes_too: bool):
    """Move images to the right by 8 pixels where the loss is computed."""

    def training_loss(model: nn.Module, images: Tensor) -> Tensor:
        samples = [SOUND.samples[n % len(SOUND.samples)] for n in range(len(images))]
        step = torch.tensor([8.0, 0.0, 8.0, 0.0]) * boxes_too
        targets = [encode((s.boxes_xyxy + step).clamp(max=SIZE), s.labels) for s in samples]
        return multibox(model(nn.functional.pad(images, (8, -8, 0, 0))), targets)

    return training_loss


def transposing(model: nn.Module, images: Tensor) -> Tensor:
    samples = [SOUND.samples[n % len(SOUND.samples)] for n in range(len(images))]
    targets = [encode(s.boxes_xyxy[:, [1, 0, 3, 2]], s.labels) for s in samples]
    return multibox(model(images.transpose(2, 3)), targets)


def test_images_that_are_shifted_without_their_boxes_are_an_error() -> None:
    findings = findings_of("unrewarded-truth", shifting(boxes_too=False))
    assert "error" in [f.severity for f in findings]


@pytest.mark.parametrize(
    "loss",
    [
        of_samples(multibox),
        mirroring(boxes_too=True),
        shifting(boxes_too=True),
        transposing,
    ],
)
def test_a_loss_that_mirrors_images_and_boxes_is_clear(loss) -> None:
    assert result_of(CHECK, loss).outcome == "clear"
    assert result_of("unrewarded-truth", loss).outcome == "clear"


def test_a_loss_of_other_boxes_is_not_judged() -> None:
    def of_chance(outputs: Outputs, targets: list[Outputs]) -> Tensor:
        drawn = torch.Generator().manual_seed(5)
        other = [(torch.randn(d.shape, generator=drawn), c.roll(100)) for d, c in targets]
        return multibox(outputs, other)

    assert findings_of(CHECK, of_samples(of_chance)) == []


def test_reads_well() -> None:
    assert findings_of(CHECK, with_boxes(size_for_corner))[0].evidence == snapshot(
        "The loss of image 0, 1, 2 of the batch asks for its sample's objects with two corners read as corner and size: outputs that state them so cost 0, as they are 12.87, and outputs that say nothing 10.39."
    )


def test_an_encoder_that_takes_no_empty_image_is_not_a_crash() -> None:
    def needing_objects(boxes: Tensor, labels: Tensor) -> Outputs:
        return encode(boxes[[0, *range(1, len(boxes))]], labels)

    result = result_of(CHECK, of_samples(multibox), pipeline=altered(encode=needing_objects))
    assert result.outcome == "not run"
