"""The maps that a head reads, of student and teacher, and what brings one to the other."""

from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.compress.distill.terms import feature_term
from pocketdet.model import Detector

ADAPTER_RATE = 0.01


class HeadInputs:
    """Remembers the maps that a detector's head was last given, from fine to coarse."""

    def __init__(self, detector: Detector) -> None:
        self.maps: list[Tensor] = []
        self._handle = detector.head.register_forward_pre_hook(self)

    def __call__(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        self.maps = list(given[0])

    def close(self) -> None:
        """Look no more, and let go of the maps."""
        self._handle.remove()
        self.maps = []


class Adapters:
    """A 1×1 convolution for each student's level, to the channels of the teacher's.

    A student's level goes with the teacher's whose map is most nearly of its size. They learn with
    an optimizer of their own, and are no part of the student.
    """

    def __init__(self) -> None:
        self.convolutions: nn.ModuleList | None = None
        self.partners: list[int] = []
        self.optimizer: torch.optim.SGD | None = None

    def term(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Give the (b,) mean over levels of the distance between adapted and teacher's maps."""
        if self.convolutions is None:
            self._build(student, teacher)
        assert self.convolutions is not None
        pairs = zip(self.convolutions, student, self.partners, strict=True)
        terms = [feature_term(adapt(level), teacher[place]) for adapt, level, place in pairs]
        return torch.stack(terms).mean(dim=0)

    def step(self) -> None:
        """Let the adapters learn from the gradients that have come since the last step."""
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad()

    def _build(self, student: list[Tensor], teacher: list[Tensor]) -> None:
        heights = [int(level.shape[-2]) for level in teacher]
        self.partners = [
            min(range(len(heights)), key=lambda n: abs(heights[n] - int(level.shape[-2])))
            for level in student
        ]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(level.shape[1], teacher[place].shape[1], 1)
            for level, place in zip(student, self.partners, strict=True)
        ).to(student[0].device)
        self.optimizer = torch.optim.SGD(
            self.convolutions.parameters(), lr=ADAPTER_RATE, momentum=0.9
        )
