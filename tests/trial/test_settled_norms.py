"""A short training is evaluated with the statistics of its weights, not of its start."""

import copy

from small_trial import SMALL, small_trial
import torch
from torch import nn

from pocketdet import build
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.trial import Steps, run_trial
from pocketdet.trial.held_out import held_out_loss
from pocketdet.trial.settled_norms import with_settled_norms


def test_maps_are_normal_in_evaluation_mode_and_the_given_detector_is_not_touched(data) -> None:
    detector = build(SMALL, classes=data.data.classes, seed=0)
    before = copy.deepcopy(detector.state_dict())
    settled = with_settled_norms(detector, data.data.train[:16])
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert not settled.training
    norms = [part for part in settled.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {
        part.momentum for part in detector.modules() if isinstance(part, nn.BatchNorm2d)
    }
    spreads: list[float] = []
    last = [norm.register_forward_hook(lambda m, i, o: spreads.append(float(o.std()))) for norm in norms]  # fmt: skip
    held_out_loss(settled, data.data.train[:16])
    assert all(0.7 < spread < 1.4 for spread in spreads)
    for handle in last:
        handle.remove()


def test_a_frozen_norm_keeps_its_statistics(data) -> None:
    detector = build(SMALL, classes=data.data.classes, seed=0).train()
    first = next(part for part in detector.modules() if isinstance(part, nn.BatchNorm2d))
    first.eval()
    settled = with_settled_norms(detector, data.data.train[:8])
    kept = next(part for part in settled.modules() if isinstance(part, nn.BatchNorm2d))
    assert torch.equal(kept.running_mean, first.running_mean)
    with evaluation_mode(detector):
        assert not detector.training


def test_settling_changes_what_is_measured_and_not_what_is_trained(source, data, tmp_path) -> None:
    plain, settled = (
        small_trial(source, steps=Steps(total=20, warmup=5, settle_on=number)) for number in (0, 16)
    )
    assert plain.key != settled.key
    first, second = (
        run_trial(trial, folder=tmp_path, data=data, device="cpu") for trial in (plain, settled)
    )
    assert [row["loss"] for row in first.history] == [row["loss"] for row in second.history]
    assert second.held_out_loss < first.held_out_loss
