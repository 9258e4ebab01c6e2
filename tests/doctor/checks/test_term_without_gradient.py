from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, line_of, serious

CHECK = "term-without-gradient"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 4, 1)
        self.teacher = nn.Conv2d(3, 4, 1).requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stem(images).relu())


def main(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images) - 1).square().mean()


def detached(model: Net, images: Tensor) -> Tensor:
    distilled = F.mse_loss(model(images), model.teacher(images)).detach()  # detached
    return main(model, images) + 0.5 * distilled


def student_detached(model: Net, images: Tensor) -> Tensor:
    predicted = model(images)
    distilled = F.mse_loss(predicted.detach(), model.teacher(images))
    return (predicted - 1).square().mean() + distilled


def detached_after_matching(model: Net, images: Tensor) -> Tensor:
    predicted = model(images)
    with torch.no_grad():
        weight = torch.zeros_like(predicted) + (predicted > 0)
    again = (weight * predicted.abs()).mean().detach()  # detached at last
    return (predicted - 1).square().mean() + again


def without_grad(model: Net, images: Tensor) -> Tensor:
    with torch.no_grad():
        boxes = model(images).sigmoid()
    return torch.stack([main(model, images), (boxes - 0.5).abs().mean()]).sum()


def teacher_and_teacher(model: Net, images: Tensor) -> Tensor:
    target = model.teacher(images)
    return main(model, images) + F.mse_loss(model.teacher(images + 0.1), target)


@pytest.mark.parametrize("loss", [detached, student_detached, without_grad, teacher_and_teacher])
def test_terms_that_teach_nothing_are_found(loss) -> None:
    assert len(serious(examined(CHECK, Net(), training_loss=loss))) == 1


def test_the_line_that_cuts_is_given() -> None:
    (finding,) = examined(CHECK, Net(), training_loss=detached)
    assert (finding.severity, finding.source) == ("error", line_of(__file__, "detached"))


def test_of_several_cuts_the_last_is_given() -> None:
    (finding,) = examined(CHECK, Net(), training_loss=detached_after_matching)
    assert finding.source == line_of(__file__, "detached at last")


def distilled(model: Net, images: Tensor) -> Tensor:
    return main(model, images) + F.mse_loss(model(images), model.teacher(images).detach())


def siamese(model: Net, images: Tensor) -> Tensor:
    first, second = model(images), model(images.flip(-1))
    return (-F.cosine_similarity(first, second.detach()).mean() + main(model, images)) / 2 + 1e-6


def summed_from_new_zeros(model: Net, images: Tensor) -> Tensor:
    predicted = model(images)
    total = predicted.new_zeros(())
    for part in predicted:
        total = total + (part - 1).square().mean()
    return total


def logged_again(model: Net, images: Tensor) -> Tensor:
    predicted, wanted = model(images), images.mean(1, keepdim=True).expand(-1, 4, -1, -1)
    ranks = F.smooth_l1_loss(predicted.detach(), wanted)
    return F.smooth_l1_loss(predicted, wanted) + 0.1 * ranks


@pytest.mark.parametrize("loss", [main, distilled, siamese, summed_from_new_zeros, logged_again])
def test_detached_targets_are_clear(loss) -> None:
    assert examined(CHECK, Net(), training_loss=loss) == []


def test_reads_well() -> None:
    (finding,) = examined(CHECK, Net(), training_loss=teacher_and_teacher)
    assert finding.evidence.partition(" at ")[2].partition(",")[2] == snapshot(
        " has no gradient: nothing that is trained is behind it, so that it teaches nothing."
    )
