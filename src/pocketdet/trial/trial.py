"""What a trial is: everything that its result depends on, and a key made of all of it."""

from dataclasses import dataclass, field, replace
import hashlib
import json
from typing import Any

from pocketdet import __version__
from pocketdet.model import DetectorConfig
from pocketdet.model.config_data import config_to_data
from pocketdet.model.own_code import own_files
from pocketdet.runs.data import DataSource
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_to_data

ROUND = 10
"""Steps after which a training of so many steps can stop and go on."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A length of `total` steps, a multiple of ten, at a constant rate after `warmup` steps.

    Since no step's rate depends on the total, more steps can follow later: 200 steps are 100 and
    then 100 more. With `settle_on`, batch norms are measured anew on so many training pictures
    before the evaluation, which does not touch the training.
    """

    total: int
    warmup: int = 20
    settle_on: int = 0

    def __post_init__(self) -> None:
        if self.settle_on < 0:
            raise ValueError(f"`settle_on` must be at least 0 images; got {self.settle_on}.")
        if self.warmup < 0:
            raise ValueError(f"`warmup` must be at least 0 steps; got {self.warmup}.")
        if self.total % ROUND or self.total <= self.warmup:
            nearest = ROUND * max(round(self.total / ROUND), self.warmup // ROUND + 1)
            raise ValueError(
                f"`total` must be a multiple of {ROUND} steps and more than the warm-up's "
                f"{self.warmup}; got {self.total}, the nearest is {nearest}."
            )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training and one evaluation at its end.

    - `settings`: with the seed. Trials with equal settings see the same batches in the same order
      with the same augmentation, whatever their config;
    - `steps`: a length in steps; without it, the settings' epochs and schedule. With it, the
      settings' epochs, warm-up and schedule do not apply;
    - `num_train`, `num_val`: only so many images, chosen once for all seeds; None for all;
    - `like`: configs whose start this one shares wherever a module is equal; the first that has
      it counts. Everything else starts from the seed and its own part's name.
    """

    config: DetectorConfig
    source: DataSource
    settings: TrainSettings = field(default_factory=TrainSettings)
    steps: Steps | None = None
    num_train: int | None = None
    num_val: int | None = None
    like: tuple[DetectorConfig, ...] = ()

    def __post_init__(self) -> None:
        for name in ("num_train", "num_val"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1 image; got {value}.")

    @property
    def key(self) -> str:
        """A hash of all that the training depends on, but not of how many steps it has.

        The source files of the user's own parts are in it: an edited part is another part.
        """
        text = json.dumps(self.to_data(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_data(self) -> dict[str, Any]:
        """Give what the key is made of, as plain data that JSON can hold."""
        others = [config for config in self.like if config != self.config]
        return {
            "version": __version__,
            "config": config_to_data(self.config),
            "like": [config_to_data(config) for config in others],
            "own_parts": own_parts(self.config, *others),
            "settings": settings_to_data(self._settings_that_count()),
            "warmup_steps": None if self.steps is None else self.steps.warmup,
            "num_train": self.num_train,
            "num_val": self.num_val,
            **({"settle_on": self.steps.settle_on} if self.steps and self.steps.settle_on else {}),
        }

    def _settings_that_count(self) -> TrainSettings:
        counting = replace(self.loop_settings(), num_workers=None, cache=False, evaluate_every=1)
        return counting if self.steps is None else replace(counting, epochs=1)

    def loop_settings(self) -> TrainSettings:
        """Give the settings as the training loop takes them: ten steps are its epoch.

        It never ends before its length is reached.
        """
        if self.steps is None:
            return replace(self.settings, patience=None, max_minutes=None)
        return replace(
            self.settings,
            epochs=self.steps.total // ROUND,
            warmup_epochs=self.steps.warmup / ROUND,
            schedule="multistep",
            milestones=(),
            patience=None,
            max_minutes=None,
        )


def own_parts(*configs: DetectorConfig) -> dict[str, str]:
    """Give a hash of the source file of every module that a config has parts from, not ours."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in sorted(own_files(*configs).items())
    }
