"""What `pocketdet diff` was asked for, turned into a report, a picture and a start."""

from dataclasses import dataclass
from pathlib import Path

import torch

from pocketdet.config_file import find_config
from pocketdet.edit import EditReport, TransferPlan, carry, compare
from pocketdet.edit.draw import save_picture
from pocketdet.model import Detector, build
from pocketdet.model.saved_detector import detector_to_data
from pocketdet.train.atomic_file import write_atomically


@dataclass(frozen=True, kw_only=True)
class DiffRequest:
    """Two configs, and what to do with them.

    - `num_classes`: of both; with `weights`, the classes are the checkpoint's;
    - `weights`: a checkpoint or a run's folder of the base; `out`: where the altered detector goes
      with all of its weights that fit;
    - `pictures`: .svg or .png files; `rounds`: timed calls of each block, 0 for none.
    """

    base: str
    altered: str
    num_classes: int = 20
    weights: Path | None = None
    out: Path | None = None
    pictures: tuple[Path, ...] = ()
    rounds: int = 20

    def __post_init__(self) -> None:
        if self.out is not None and self.weights is None:
            raise ValueError("`--out` needs `--weights`: there is nothing trained to write.")
        for picture in self.pictures:
            if picture.suffix not in (".svg", ".png"):
                raise ValueError(f"`--picture` must end in .svg or .png; got {picture.name}.")


def run_diff(request: DiffRequest) -> tuple[EditReport, TransferPlan]:
    """Compare the two, and carry the weights over; a new detector's start is drawn with seed 0."""
    torch.manual_seed(0)
    base_config, config = find_config(request.base), find_config(request.altered)
    if request.weights is None:
        base = build(base_config, num_classes=request.num_classes)
    else:
        base = Detector.load(request.weights)
        if base.config != base_config:
            raise ValueError(
                f"`--weights` must be of {request.base}; the config in {request.weights} is "
                "another one. Save that one's config as the base, or give its own weights."
            )
    altered = build(config, classes=base.classes)
    plan = carry(base, altered)
    if request.out is not None:
        request.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(request.out, lambda file: torch.save(detector_to_data(altered), file))
    report = compare(base, altered, rounds=request.rounds)
    names = (Path(request.base).stem, Path(request.altered).stem)
    for picture in request.pictures:
        save_picture(report, picture, names=names)
    return report, plan
