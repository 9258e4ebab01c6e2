"""Trains a patient for a short while on its host's scenes and says what it scores."""

import hashlib
from typing import Any

import torch
from torch import nn

from seeded.program import Patient
from seeded.scenes import scaled_to_unit

BATCH = 12
TRAIN, TEST = 200, 50
SAME_FROM = 5
"""Two trainings whose weights agree to the last bit after so many steps are one training."""

Memory = dict[str, dict[str, Any] | None]


def short_training(patient: Patient, *, seed: int, memory: Memory | None = None) -> float:
    """AP (classifiers: accuracy) on scenes that training did not see; nan if the loss broke.

    `memory` keeps final weights, so that programs that differ only in how they answer (decoding,
    the metric, eval mode) do not train again.
    """
    assert patient.scenes
    assert patient.score
    assert patient.batch_loss
    assert patient.optimizer
    torch.manual_seed(seed)
    scenes = patient.scenes(TRAIN, 100 + seed)
    rates = [group["lr"] for group in patient.optimizer.param_groups]
    patient.model.train()
    key = ""
    for step in range(patient.steps):
        for group, rate in zip(patient.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(
                1.0, (step + 1) / 10, (patient.steps - step) / patient.steps * 2
            )
        if not _one_step(patient, scenes):
            return float("nan")
        if memory is not None and step == SAME_FROM:
            key = f"{seed} {patient.steps} {_digest(patient.model)}"
            if (known := memory.get(key)) is not None:
                patient.model.load_state_dict(known)
                break
    if memory is not None and key not in memory:
        memory[key] = {k: v.clone() for k, v in patient.model.state_dict().items()}
    return float(patient.score(patient.model, patient.scenes(TEST, 9000)))


def _one_step(patient: Patient, scenes: Any) -> bool:
    assert patient.batch_loss
    assert patient.optimizer
    transform = (patient.pipeline and patient.pipeline.transform) or (lambda scene: scene)
    preprocess = (patient.pipeline and patient.pipeline.preprocess) or scaled_to_unit
    chosen = [transform(scenes[i]) for i in torch.randint(len(scenes), (BATCH,)).tolist()]
    images = torch.stack([preprocess(scene.image) for scene in chosen])
    loss = patient.batch_loss(
        patient.model, images, [s.boxes_xyxy for s in chosen], [s.labels for s in chosen]
    )
    if not torch.isfinite(loss):
        return False
    patient.optimizer.zero_grad()
    loss.backward()
    patient.optimizer.step()
    return True


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.detach().numpy().tobytes())
    return digest.hexdigest()
