import copy

from inline_snapshot import snapshot
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from training_nets import Block, examined, serious

CHECK = "stale-average"


def trained(steps: int = 5, average: nn.Module | None = None, *, buffers: bool = True):
    """Train a little, and let an average follow."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), Block())
    average = copy.deepcopy(model) if average is None else average
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        loss = model(torch.rand(4, 3, 8, 8)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for then, now in zip(average.parameters(), model.parameters(), strict=True):
                then.lerp_(now, 0.3)
            for then, now in zip(average.buffers(), model.buffers(), strict=True):
                if buffers:
                    then.copy_(now)
    return model, average


def test_statistics_left_behind_are_an_error_of_their_module() -> None:
    model, average = trained(buffers=False)
    assert serious(examined(CHECK, model, average=average)) == [("1.norm", "error")]


def test_an_average_that_is_the_model_is_an_error() -> None:
    model, _ = trained()
    assert serious(examined(CHECK, model, average=model)) == [("", "error")]


def test_another_head_and_a_coarse_format_are_found() -> None:
    model, average = trained()
    model.append(nn.Conv2d(8, 4, 1))
    assert serious(examined(CHECK, model, average=average)) == [("2", "error")]
    model, average = trained()
    assert ("", "warning") in serious(examined(CHECK, model, average=average.half()))


def test_averages_that_follow_are_clear() -> None:
    model, average = trained()
    assert examined(CHECK, model, average=average) == []
    fresh = nn.Sequential(nn.Conv2d(3, 8, 3), Block())
    assert examined(CHECK, fresh, average=copy.deepcopy(fresh)) == []
    swa = AveragedModel(model, use_buffers=True)
    swa.update_parameters(model)
    assert examined(CHECK, model, average=swa) == []


def test_reads_well() -> None:
    model, average = trained(buffers=False)
    assert examined(CHECK, model, average=average)[0].evidence == snapshot(
        "2 tensors are those of the start in the average, while the model's have moved: `1.norm.running_mean`, `1.norm.running_var`."
    )
