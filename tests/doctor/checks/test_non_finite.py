from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from small_losses import Outputs, multibox, of_samples
from small_losses import findings_of as losses_found
from small_pipeline import NUM_CLASSES
import torch
from torch import Tensor
import torch.nn.functional as F
from torch.nn.functional import one_hot


def sparse(net: Host, x: Tensor) -> Tensor:
    """Features that are zero in whole places."""
    return x * (x.sum(1, keepdim=True) > x.sum(1).mean())


BAD: dict[str, Alter] = {
    "logarithm of zero": lambda _, x: torch.log(x),
    "zero by zero": lambda net, x: sparse(net, x) / sparse(net, x).norm(dim=1, keepdim=True),
    "root of a sum of squares": lambda net, x: (
        sparse(net, x) / (sparse(net, x).pow(2).sum(1, keepdim=True).sqrt() + 1e-6)
    ),
    "hidden by where": lambda net, x: torch.where(x > 0, (x * x).sqrt(), x),
}

GOOD: dict[str, Alter] = {
    "normalize": lambda net, x: F.normalize(sparse(net, x)),
    "inside of the root": lambda net, x: (sparse(net, x).pow(2) + 1e-6).sqrt(),
    "a mask before a softmax": lambda net, x: (
        x * net.to_all(x).masked_fill(x > x.mean(), float("-inf")).softmax(1)
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_finite_for_the_given_inputs_is_an_error(name: str) -> None:
    assert found(BAD[name], "non-finite") == ["error"]


@pytest.mark.parametrize("name", GOOD)
def test_is_clear_where_all_stays_finite(name: str) -> None:
    assert found(GOOD[name], "non-finite") == []


def test_values_beyond_half_precision_are_an_info() -> None:
    assert found(lambda _, x: x * 1e6, "non-finite") == ["info"]


def test_names_the_operator_and_reads_well() -> None:
    (finding,) = examined(BAD["root of a sum of squares"], "non-finite").findings
    assert finding.evidence == snapshot(
        "For the given inputs the outputs are finite, and the gradients of 10 parameters, such as `stem.weight`, are not. `sqrt` is taken of zero there, where its slope is infinite."
    )


def test_a_loss_that_is_infinite_for_sure_answers_is_a_warning() -> None:
    def surprise(outputs: Outputs, targets: list[Outputs]) -> Tensor:
        chance = outputs[1].sigmoid()
        wanted = torch.stack([one_hot(c, 1 + NUM_CLASSES) for _, c in targets]).float()
        return -(wanted * chance.log() + (1 - wanted) * (1 - chance).log()).mean()

    findings = losses_found("non-finite", of_samples(surprise))
    assert [f.severity for f in findings] == ["warning"]
    assert findings[0].source is not None
    assert findings[0].source.startswith("test_non_finite.py")
    assert losses_found("non-finite", of_samples(multibox)) == []
