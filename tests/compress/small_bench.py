"""A workbench on a few pictures of bright and dark squares."""

from pathlib import Path

from compress_data import write_squares

from pocketdet.compress.workbench import Workbench
from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.progress import silent
from pocketdet.runs.data import DataSource, open_training_data
from pocketdet.train.distributed import World
from pocketdet.train.settings import TrainSettings


def tiny_bench(folder: Path) -> Workbench:
    data = open_training_data(
        DataSource(data=str(write_squares(folder))), world=World(), progress=silent
    )
    work = folder / "work"
    work.mkdir()
    return Workbench(
        folder=work,
        data=data,
        settings=TrainSettings(
            batch_size=4, learning_rate=0.02, augmentation=AugmentSettings(min_box=1.0)
        ),
        scores_file=folder / "scores.json",
    )
