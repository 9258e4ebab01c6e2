"""What `pocketdet data check` says, as plain data."""

from collections.abc import Sequence
from typing import Any

from pocketdet.data.dataset import Dataset
from pocketdet.data.problem import PROBLEM_KINDS, Problem, ProblemKind


def by_kind(problems: Sequence[Problem]) -> dict[ProblemKind, list[Problem]]:
    """Group problems, in the order of `PROBLEM_KINDS`; kinds without one are not there."""
    groups = {kind: [p for p in problems if p.kind == kind] for kind in PROBLEM_KINDS}
    return {kind: group for kind, group in groups.items() if group}


def is_healthy(problems: Sequence[Problem]) -> bool:
    """Say whether there is nothing but notes."""
    return not any(problem.kind.is_error for problem in problems)


def check_as_json(dataset: Dataset, problems: Sequence[Problem]) -> dict[str, Any]:
    """Give the whole result, every single fault included, as JSON's types."""
    return {
        "path": str(dataset.root),
        "format": dataset.format,
        "classes": list(dataset.classes),
        "splits": {
            name: {"images": num_images, "boxes": num_boxes}
            for name, num_images, num_boxes in split_sizes(dataset)
        },
        "ok": is_healthy(problems),
        "problems": [
            {
                "kind": kind.name,
                "severity": "error" if kind.is_error else "note",
                "count": len(group),
                "meaning": kind.meaning,
                "training": kind.training,
                "places": [_place(problem, dataset) for problem in group],
            }
            for kind, group in by_kind(problems).items()
        ],
    }


def split_sizes(dataset: Dataset) -> list[tuple[str, int, int]]:
    """Give each split's name, its number of images and its number of boxes."""
    return [
        (name, len(samples), sum(len(sample.labels) for sample in samples))
        for name, samples in dataset.splits.items()
    ]


def _place(problem: Problem, dataset: Dataset) -> dict[str, Any]:
    return {
        "split": problem.split,
        "file": problem.file_below(dataset.root),
        "box": problem.box,
        "detail": problem.detail,
    }
