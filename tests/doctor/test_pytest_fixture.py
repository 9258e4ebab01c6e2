"""The fixture `doctor`, which is installed with the package."""

from post_network import PostNetwork
import pytest
import torch


def test_a_sound_network_passes_and_gives_its_report(doctor) -> None:
    model = PostNetwork(softmax_over_channels=False, over_everything=False, gate_behind_norm=True)
    assert doctor(model, torch.rand(2, 3, 64, 64)).ok


def test_a_faulty_network_fails_with_the_report(doctor) -> None:
    model = PostNetwork(softmax_over_channels=True, over_everything=True)
    with pytest.raises(pytest.fail.Exception, match=r"error\[batch-mixing\] l2norm"):
        doctor(model, torch.rand(2, 3, 64, 64))
