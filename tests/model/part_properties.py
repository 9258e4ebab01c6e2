"""What has to hold for every part, whatever it computes."""

import torch
from torch import Tensor, nn


def assert_gradient_reaches_every_parameter(part: nn.Module, *given: Tensor) -> None:
    torch.manual_seed(0)
    part.train()
    output = part(*given)
    (output * torch.randn_like(output)).sum().backward()
    dead = [
        name
        for name, parameter in part.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    assert not dead, f"no gradient reaches {dead}"
    assert all(bool(p.grad.isfinite().all()) for p in part.parameters() if p.grad is not None)


@torch.no_grad()
def assert_images_do_not_mix(part: nn.Module, given: Tensor) -> None:
    """In evaluation the first image's output stays when the others change."""
    part.eval()
    others = torch.cat([given[:1], torch.randn_like(given[1:]) * 3])
    alone = part(given[:1])
    assert torch.allclose(part(given)[:1], part(others)[:1], atol=1e-5)
    assert torch.allclose(part(given)[:1], alone, atol=1e-5)


@torch.no_grad()
def assert_input_is_left_alone(part: nn.Module, given: Tensor) -> None:
    """Others may read the same map, so it is never changed in place."""
    before = given.clone()
    part(given)
    assert torch.equal(given, before)


def halved(size: int, *, times: int) -> int:
    """Halve, rounding up: 19 is 10."""
    return -(-size // 2**times)
