"""In a group of one process; two processes are in `test_distributed_training.py`."""

import pytest
import torch
from torch import nn

from pocketdet.train.sync_batch_norm import GlobalBatchNorm, synchronise_batch_norm


@pytest.fixture(autouse=True, scope="module")
def _group_of_one(tmp_path_factory):
    store = tmp_path_factory.mktemp("store") / "store"
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (8, 6)])
def test_in_a_group_of_one_it_is_batch_norm(affine, momentum, shape):
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    plain = nn.Sequential(kind(6, eps=1e-3, affine=affine, momentum=momentum))
    synced = nn.Sequential(kind(6, eps=1e-3, affine=affine, momentum=momentum))
    if affine:
        with torch.no_grad():
            for p, q in zip(plain.parameters(), synced.parameters(), strict=True):
                q.copy_(p.uniform_(0.5, 2))
    before = list(synced.state_dict())
    parameters = list(synced.parameters())
    synchronise_batch_norm(synced, torch.device("cpu"))
    assert isinstance(synced[0], GlobalBatchNorm)
    assert list(synced.state_dict()) == before
    assert all(p is q for p, q in zip(synced.parameters(), parameters, strict=True))
    for _ in range(3):
        x = torch.randn(shape, requires_grad=True)
        y = x.detach().clone().requires_grad_()
        weight = torch.randn(shape)
        (plain(x) * weight).sum().backward()
        (synced(y) * weight).sum().backward()
        assert torch.allclose(x.grad, y.grad, atol=1e-5)
    assert torch.allclose(plain(x), synced(x), atol=1e-5)
    for p, q in zip(plain.parameters(), synced.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-5)
    for name, value in plain.state_dict().items():
        assert torch.allclose(value, synced.state_dict()[name], atol=1e-6), name
    plain.eval(), synced.eval()
    assert torch.allclose(plain(x), synced(x), atol=1e-5)
