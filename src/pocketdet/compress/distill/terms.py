"""What a student's outputs lose against a teacher's; each term is one number an image."""

import torch
from torch import Tensor
from torch.nn import functional

from pocketdet.model import PointPredictions, Predictions


def are_comparable(student: object, teacher: object) -> bool:
    """Say whether row i of both outputs speaks of the same place in the same language."""
    match student, teacher:
        case (Predictions(), Predictions()) | (PointPredictions(), PointPredictions()):
            shapes = [[t.shape[1:] for t in outputs[:2]] for outputs in (student, teacher)]
            places = student.places_cxcywh, teacher.places_cxcywh
            return shapes[0] == shapes[1] and torch.allclose(*places, atol=1e-3)
        case _:
            return False


def output_terms(
    student: Predictions | PointPredictions,
    teacher: Predictions | PointPredictions,
    *,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Give the (b,) terms of classes and of boxes, where rows are comparable.

    Most rows are background, on which both soon agree: rows weigh as much as the teacher sees an
    object there or the student wrongly does. With priors the classes' term is the
    divergence of softmaxes at a temperature (Hinton et al. 2015, arXiv 1503.02531, times its
    square) and the boxes' is smooth L1; without, binary cross-entropy against the teacher's scores,
    and the divergence of the sides' distributions (localization distillation, Zheng et al. 2021,
    arXiv 2102.12252).
    """
    match student, teacher:
        case Predictions(), Predictions():
            seen = 1 - teacher.class_logits.softmax(dim=-1)[..., 0]
            said = 1 - student.class_logits.detach().softmax(dim=-1)[..., 0]
            classes = divergence(student.class_logits, teacher.class_logits, temperature)
            distance = functional.smooth_l1_loss(
                student.box_deltas, teacher.box_deltas, reduction="none"
            )
            boxes = distance.sum(dim=-1)
        case PointPredictions(), PointPredictions():
            scores = teacher.class_logits.sigmoid()
            seen = scores.amax(dim=-1)
            said = student.class_logits.detach().sigmoid().amax(dim=-1)
            cross_entropy = functional.binary_cross_entropy_with_logits(
                student.class_logits, scores, reduction="none"
            )
            classes = cross_entropy.sum(dim=-1)
            sides = divergence(student.side_logits, teacher.side_logits, temperature)
            boxes = sides.sum(dim=-1)
        case _:
            raise ValueError(
                f"`student` gives {type(student).__name__} and `teacher` {type(teacher).__name__}, "
                "whose rows cannot be compared."
            )
    return (classes * torch.maximum(seen, said)).sum(dim=1), (boxes * seen).sum(dim=1)


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Give KL(teacher, student) of the softmaxes over the last axis, times temperature²."""
    log_student = (student / temperature).log_softmax(dim=-1)
    log_teacher = (teacher / temperature).log_softmax(dim=-1)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(dim=-1) * temperature**2


def feature_term(student: Tensor, teacher: Tensor) -> Tensor:
    """Give the (b,) squared distance of two maps of equal channels, each channel normalised.

    Channels have mean 0 and variance 1 over batch and places first, so that only where a channel
    is high counts, not how high (PKD, Cao et al. 2022, arXiv 2207.02039, equation 3).
    """
    if student.shape[-2:] != teacher.shape[-2:]:
        size = (int(student.shape[-2]), int(student.shape[-1]))
        teacher = functional.interpolate(teacher, size=size, mode="bilinear")
    distance = (_normalised(student) - _normalised(teacher)).square() / 2
    return distance.mean(dim=(1, 2, 3))


def _normalised(maps: Tensor) -> Tensor:
    mean = maps.mean(dim=(0, 2, 3), keepdim=True)
    spread = maps.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    return (maps - mean) * (spread + 1e-6).rsqrt()
