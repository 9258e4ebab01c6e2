"""Models and losses of every kind: nothing crashes, and nothing of the user's is changed."""

from collections.abc import Callable
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import examine


class Plain(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.relu(self.norm(self.conv(images))))


class Keywords(Plain):
    def forward(self, *, images: Tensor, scale: float = 1.0) -> Any:
        return {"maps": [super().forward(images) * scale, None], "count": 3}


class WantsTargets(Plain):
    def forward(self, images: Tensor, targets: Any = None) -> Any:
        maps = super().forward(images)
        if self.training:
            assert targets is not None
            return {"loss": maps.square().mean()}
        return maps


class Refuses(Plain):
    def forward(self, images: Tensor) -> Tensor:
        if self.training or min(images.shape[-2:]) < 32:
            raise RuntimeError("not like that")
        return super().forward(images)


class Namespace(Plain):
    def forward(self, images: Tensor) -> Any:
        return SimpleNamespace(maps=super().forward(images), extra=SimpleNamespace(none=None))


class Nothing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


class Silent(Plain):
    def forward(self, images: Tensor) -> None:
        self.said = super().forward(images)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.table(words).mean(1))


def images(channels: int = 3) -> Tensor:
    return torch.rand(2, channels, 32, 32)


MODELS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "keyword-only": lambda: (Keywords(), {"images": images()}),
    "wants targets in training": lambda: (WantsTargets(), images()),
    "refuses training and small images": lambda: (Refuses(), images()),
    "gives a namespace": lambda: (Namespace(), images()),
    "has no parameters": lambda: (Nothing(), images()),
    "gives nothing": lambda: (Silent(), images()),
    "takes whole numbers": lambda: (Words(), torch.randint(0, 50, (2, 7))),
    "one channel": lambda: (Plain(1), images(1)),
    "half precision": lambda: (Plain().half(), images().half()),
    "double precision": lambda: (Plain().double(), images().double()),
    "channels last": lambda: (
        Plain().to(memory_format=torch.channels_last),
        images().contiguous(memory_format=torch.channels_last),
    ),
    "compiled": lambda: (torch.compile(Plain(), backend="eager"), images()),
    "in parallel": lambda: (nn.DataParallel(Plain()), images()),
    "by symbolic tracing": lambda: (torch.fx.symbolic_trace(Plain()), images()),
    "inputs with gradients": lambda: (Plain(), images().requires_grad_()),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_a_right_model_is_clear_and_stays_as_it_was(name: str) -> None:
    model, inputs = MODELS[name]()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random_state = torch.get_rng_state()
    report = examine(model, inputs)
    assert not [r.reason for r in report.results if r.outcome == "crashed"]
    assert not [f for f in report.findings if f.severity != "info"]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(random_state, torch.get_rng_state())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


LOSSES = {
    "a tuple": (lambda net, x: (net(x).mean(), {}), "it gave a tuple"),
    "a number of Python": (lambda net, x: float(net(x).mean()), "it gave a float"),
    "one a sample": (lambda net, x: net(x).mean((1, 2, 3)), "it gave one of shape (2,)"),
    "nothing, since it raises": (lambda net, x: 1 / 0, "division by zero (in `training_loss`)"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_wrong_loss_is_told_once_and_hides_nothing_else(name: str) -> None:
    loss, said = LOSSES[name]
    report = examine(Plain(), images(), training_loss=loss)
    assert not report.ok
    assert str(report).count(said) == 1
    assert sum(result.outcome == "clear" for result in report.results) > 10


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"optimizer": [1]}, "`optimizer` must be a torch.optim.Optimizer; got a list."),
        ({"pipeline": {}}, "`pipeline` must be a DetectionPipeline; got a dict."),
        ({"training_loss": 3}, "`training_loss` must be a function of model and inputs; got int"),
    ],
)
def test_fields_of_another_kind_are_refused(how: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        examine(Plain(), images(), **how)
