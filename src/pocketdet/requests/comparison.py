"""What `pocketdet compare` was asked for, turned into a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re
from typing import Any

from pocketdet.compare import CompareRequest
from pocketdet.config_file import find_config
from pocketdet.model import DetectorConfig
from pocketdet.runs.data import DataSource
from pocketdet.train.settings_file import read_settings

CONFIG, SETTINGS = "config.yaml", "settings.yaml"
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """The options as the command line has them; `changes` are settings by name, None if not so."""

    configs: Sequence[str]
    data: str
    split_train: str = "train"
    split_val: str = "val"
    seeds: int = 5
    budget: str | None = None
    difference: float | None = None
    out: Path | None = None
    device: str = "auto"
    jobs: int = 1
    num_train: int | None = None
    num_val: int | None = None
    settings: Path | None = None
    changes: Mapping[str, Any]

    def request(self) -> CompareRequest:
        """Read configs and settings; raises `ValueError` for what cannot be."""
        if self.jobs < 1:
            raise ValueError(f"`--jobs` must be at least 1; got {self.jobs}.")
        configs = named_configs(self.configs)
        return CompareRequest(
            configs=configs,
            source=DataSource(
                data=self.data, split_train=self.split_train, split_val=self.split_val
            ),
            settings=read_settings(
                self.settings or _settings_of_runs(self.configs), **self.changes
            ),
            num_seeds=self.seeds,
            budget_s=None if self.budget is None else seconds(self.budget),
            difference=self.difference,
            out=self.out or Path("compares") / "-".join(configs).lower(),
            devices=tuple(self.device.split(",")) * self.jobs,
            num_train=self.num_train,
            num_val=self.num_val,
        )


def named_configs(files: Sequence[str]) -> dict[str, DetectorConfig]:
    """Read recipes, config files and runs' folders; each goes by its recipe's or file's name."""
    found: dict[str, DetectorConfig] = {}
    for file in files:
        is_path = file.endswith((".yaml", ".yml")) or Path(file).is_dir()
        name = Path(file).stem if is_path else file
        number = 2
        while name in found:
            name, number = f"{name.removesuffix(f'-{number - 1}')}-{number}", number + 1
        found[name] = find_config(Path(file) / CONFIG if Path(file).is_dir() else file)
    return found


def _settings_of_runs(files: Sequence[str]) -> Path | None:
    """Find the settings that the runs among the configs were trained with; None without runs.

    A run brings its config and its settings. Its own training is not used: it did not start from
    the weights that the others start from. Runs whose settings differ raise `ValueError`.
    """
    runs = [Path(file) for file in files if Path(file).is_dir()]
    if not runs:
        return None
    first, *others = [replace(read_settings(run / SETTINGS), seed=0) for run in runs]
    for run, settings in zip(runs[1:], others, strict=True):
        if settings != first:
            raise ValueError(
                f"{runs[0]} and {run} were trained with different settings, so that they cannot "
                "be paired; give one file for both with --settings."
            )
    return runs[0] / SETTINGS


def seconds(text: str) -> float:
    """Read 90s, 20m, 2h or 1h30m as seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"`--budget` must be a time like 90s, 20m or 2h; got {text!r}.")
    return sum(float(number) * UNITS[unit] for number, unit in parts)
