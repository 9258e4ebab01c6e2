"""The folder of one run: `runs/NAME/`, and what lies where in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.checkpoint import BEST, LAST
from pocketdet.train.new_folder import named_folder, numbered_folder


class RunFolder:
    """Paths of one run. A name that is taken is never given twice, nor overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.settings = path / "settings.yaml"
        self.metrics = path / "metrics.csv"
        self.curves = path / "curves.png"
        self.events = path / "tensorboard"
        self.best = path / BEST
        self.last = path / LAST

    @classmethod
    def create(cls, parent: Path, name: str) -> "RunFolder":
        """Make the folder of a name that the user chose; raises `ValueError` if it exists."""
        return cls(named_folder(parent, name, of="run"))

    @classmethod
    def create_numbered(cls, parent: Path, stem: str) -> "RunFolder":
        """Make the folder `stem-1`, or the first number that is free."""
        return cls(numbered_folder(parent, stem))

    def batch_picture(self, step: int) -> Path:
        """Say where the picture of the batch of a step lies."""
        return self.path / f"batches-{step}.png"

    def write_yaml(self, path: Path, data: Mapping[str, Any]) -> None:
        """Write plain data for people to read, in the order given."""
        text = yaml.safe_dump(dict(data), sort_keys=False, default_flow_style=None)
        write_atomically(path, lambda file: file.write(text.encode()))
