"""The folder of one compression: `compressed/NAME/`, and what lies where in it."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

import torch
import yaml

from pocketdet.compress.catalogue import steps_to_data
from pocketdet.compress.step import Step, StepResult
from pocketdet.model import Detector
from pocketdet.model.saved_detector import compact_data
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.new_folder import named_folder, numbered_folder

LAST, START = "last.pt", "0-start.pt"


class ResultFolder:
    """Paths of one compression, and what is written there: always a whole file, never a part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "compress.yaml"
        self.steps = path / "steps.yaml"
        self.settings = path / "settings.yaml"
        self.scores = path / "scores.json"
        self.report = path / "report.json"
        self.text = path / "report.md"
        self.start = path / START
        self.last = path / LAST

    @classmethod
    def create(cls, parent: Path, name: str | None, *, stem: str) -> "ResultFolder":
        """Make the folder of a name, or the first free one of `stem-1`, `stem-2` and so on."""
        if name is None:
            return cls(numbered_folder(parent, stem))
        return cls(named_folder(parent, name, of="result"))

    def checkpoint(self, number: int, step: Step) -> Path:
        """Say where the detector after step `number`, from 1, is kept."""
        return self.path / f"{number}-{type(step).__name__.lower()}.pt"

    def said(self, number: int, step: Step) -> Path:
        """Say where a finished step keeps its figures; it is written after the checkpoint."""
        return self.checkpoint(number, step).with_suffix(".json")

    def work(self, number: int, step: Step) -> Path:
        """Make the folder that a step may use, and give it."""
        folder = self.checkpoint(number, step).with_suffix("")
        folder.mkdir(exist_ok=True)
        return folder

    def has_begun(self, steps: Sequence[Step]) -> bool:
        """Say whether there is work to go on with: a finished step, or what one keeps on its way.

        An empty work folder is none.
        """
        return any(
            self.said(number, step).is_file() or any(self.work(number, step).iterdir())
            for number, step in enumerate(steps, start=1)
        )

    def describe(self, request: Mapping[str, Any], steps: Sequence[Step]) -> None:
        """Write what was asked for."""
        write_yaml(self.request, dict(request))
        write_yaml(self.steps, steps_to_data(steps))

    def keep(self, number: int, step: Step, result: StepResult, *, seconds: float) -> None:
        """Write a finished step: its detector, then what there is to say of it."""
        save_detector(self.checkpoint(number, step), result.detector)
        write_json(self.said(number, step), {**result.to_data(), "seconds": round(seconds, 1)})


def save_detector(path: Path, detector: Detector) -> None:
    """Write a checkpoint with nothing but the detector."""
    data = compact_data(detector)
    write_atomically(path, lambda file: torch.save(data, file))


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON."""
    text = json.dumps(data, indent=2)
    write_atomically(path, lambda file: file.write(text.encode()))


def write_yaml(path: Path, data: Any) -> None:
    """Write plain data for people to read, in the order given."""
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None)
    write_atomically(path, lambda file: file.write(text.encode()))
