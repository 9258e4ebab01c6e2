"""What else there is for PyTorch, on the same programs: torcheck, torchtest, over-fit one batch.

Each says only whether it complains; each gets a fresh patient, with its loss and its optimizer.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from seeded.program import Patient

OVERFIT_STEPS = 60
OVERFIT_SHARE = 0.25
"""Over-fitting one batch complains when the loss does not fall below this share of its start."""


def torcheck_complains(patient: Patient) -> bool:
    """Take three steps: all trainable parameters must change, nothing may be nan or inf."""
    from torcheck.registry import Registry

    registry = Registry()
    assert patient.optimizer
    assert patient.training_loss
    registry.register(patient.optimizer)
    plain = isinstance(patient.model(patient.inputs), Tensor)  # it knows no other outputs
    registry.add_module(
        patient.model, module_name="patient", changing=True, check_nan=plain, check_inf=plain
    )
    return _complains(lambda: _steps(patient, 3))


def torchtest_complains(patient: Patient) -> bool:
    """Take its one step: all trainable parameters must change."""
    from torchtest.torchtest import assert_vars_change

    class WithLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = patient.model

        def forward(self, inputs: Tensor) -> Tensor:
            assert patient.training_loss
            return patient.training_loss(self.model, inputs)

    batch = [patient.inputs, torch.zeros(1)]
    return _complains(
        lambda: assert_vars_change(
            model=WithLoss(),
            loss_fn=lambda loss, _: loss,
            optim=patient.optimizer,
            batch=batch,
            device="cpu",
        )
    )


def overfit_complains(patient: Patient) -> bool:
    """Train on one batch by Adam, the recipe that people know; only the loss is looked at."""
    assert patient.training_loss
    model, inputs = patient.model, patient.inputs
    small = inputs[:4, :, ::2, ::2] if inputs.shape[-1] > 64 else inputs
    optimizer = Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    model.train()
    first = last = float("nan")
    for step in range(OVERFIT_STEPS):
        loss = patient.training_loss(model, small.clone())
        last = float(loss.detach())
        first = last if step == 0 else first
        if last != last or not loss.requires_grad:
            return True
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return not last < OVERFIT_SHARE * first


BASELINES: dict[str, Callable[[Patient], bool]] = {
    "torcheck": torcheck_complains,
    "torchtest": torchtest_complains,
    "over-fit one batch": overfit_complains,
}


def _steps(patient: Patient, count: int) -> None:
    assert patient.optimizer
    assert patient.training_loss
    patient.model.train()
    for _ in range(count):
        patient.optimizer.zero_grad()
        patient.training_loss(patient.model, patient.inputs.clone()).backward()
        patient.optimizer.step()


def _complains(act: Callable[[], Any]) -> bool:
    try:
        act()
    except Exception:  # the tools raise what they find, each its own kind
        return True
    return False
