"""What a program of the corpus is: a patient, the faults in it, and where each of them sits."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
import inspect
from pathlib import Path
import textwrap
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seeded.scenes import Scene

BatchLoss = Callable[[Any, Tensor, list[Tensor], list[Tensor]], Tensor]
"""model, images (n, 3, H, W), boxes_xyxy and labels an image -> a scalar."""


@dataclass(kw_only=True)
class Pipeline:
    """The fields of pocketdet.doctor.DetectionPipeline, without importing it."""

    samples: Sequence[Scene]
    num_classes: int
    transform: Callable[[Scene], Scene] | None = None
    preprocess: Callable[[Tensor], Tensor] | None = None
    encode: Callable[[Tensor, Tensor], Any] | None = None
    perfect: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    evaluate: Callable[[Any, Any], float] | None = None


@dataclass(kw_only=True)
class Patient:
    """What `examine` is given, and what a short training needs besides."""

    model: nn.Module
    inputs: Any
    training_loss: Callable[[Any, Any], Tensor] | None = None
    optimizer: Optimizer | None = None
    reference: nn.Module | None = None
    average: nn.Module | None = None
    row_boxes: Tensor | None = None
    pipeline: Pipeline | None = None
    allow: dict[str, str] = field(default_factory=dict)

    batch_loss: BatchLoss | None = None
    scenes: Callable[[int, int], list[Scene]] | None = None
    score: Callable[[nn.Module, Sequence[Scene]], float] | None = None
    steps: int = 110


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: the mechanism in words, its rank in the taxonomy, and the module that holds it.

    `where` lists qualified module names, or names of what was handed over besides the model
    (`training_loss`, `optimizer`, `pipeline.encode`). `marker` is the comment beside its line.
    """

    mechanism: str
    rank: int
    where: tuple[str, ...]
    marker: str = "# FAULT"


@dataclass(frozen=True, kw_only=True)
class Program:
    id: str
    host: str
    cases: tuple[str, ...]
    faults: tuple[Fault, ...]
    build: Callable[..., Patient]
    not_trained: str | None = None
    """Why a short training cannot show it; None where `benchmarks/seeded_training.py` trains it."""


@dataclass(frozen=True, kw_only=True)
class LookAlike:
    """A right program that looks like a faulty one; `likes` names the mechanism it resembles."""

    id: str
    likes: str
    build: Callable[[], Patient]


PROGRAMS: list[Program] = []
LOOK_ALIKES: list[LookAlike] = []


def program(
    *,
    host: str,
    rank: int,
    mechanism: str,
    cases: Sequence[str],
    where: Sequence[str],
    not_trained: str | None = None,
) -> Callable[[Callable[..., Patient]], Callable[..., Patient]]:
    """Registers `build(*, faulty)` as a program with one fault."""
    fault = Fault(mechanism=mechanism, rank=rank, where=tuple(where))
    return several(host=host, cases=cases, faults=(fault,), not_trained=not_trained)


def several(
    *, host: str, cases: Sequence[str], faults: tuple[Fault, ...], not_trained: str | None = None
) -> Callable[[Callable[..., Patient]], Callable[..., Patient]]:
    """Registers `build(*, faulty)` as a program with these faults at once."""

    def register(build: Callable[..., Patient]) -> Callable[..., Patient]:
        PROGRAMS.append(
            Program(
                id=build.__name__.replace("_", "-"),
                host=host,
                cases=tuple(cases),
                faults=faults,
                build=build,
                not_trained=not_trained,
            )
        )
        return build

    return register


def look_alike(*, likes: str) -> Callable[[Callable[[], Patient]], Callable[[], Patient]]:
    def register(build: Callable[[], Patient]) -> Callable[[], Patient]:
        LOOK_ALIKES.append(LookAlike(id=build.__name__.replace("_", "-"), likes=likes, build=build))
        return build

    return register


def marked_lines(entry: Program, fault: Fault) -> tuple[str, set[int]]:
    """The file's name and all lines of the statements that carry the fault's marker."""
    source, first = inspect.getsourcelines(entry.build)
    text = textwrap.dedent("".join(source))
    marked = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.rstrip().endswith(fault.marker)
    ]
    lines: set[int] = set()
    for mark in marked:
        around = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.stmt) and node.lineno <= mark <= (node.end_lineno or 0)
        ]
        inner = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno)
        lines.update(range(inner.lineno, (inner.end_lineno or 0) + 1))
    return Path(inspect.getfile(entry.build)).name, {first - 1 + line for line in lines}


def built(build: Callable[..., Patient], *, seed: int = 0, **patch: bool) -> Patient:
    """The patient, the same each time for the same seed."""
    torch.manual_seed(seed)
    return build(**patch)
