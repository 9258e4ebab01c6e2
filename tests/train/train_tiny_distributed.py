"""Run by tests as one of several processes, or alone: OUT BATCH_SIZE ACCUMULATE [poison] [points]."""

from pathlib import Path
import sys

from tiny_training import (
    TINY,
    TINY_POINTS,
    pretended_ap,
    tiny_detector,
    tiny_plan,
    tiny_settings,
)
import torch

from pocketdet.model import Predictions
from pocketdet.train.distributed import join_world
from pocketdet.train.events import StepDone
from pocketdet.train.loop import train
from pocketdet.train.non_finite import NonFiniteLoss
from pocketdet.train.state import begin


def main(out: Path, batch_size: int, accumulate: int, *, poison: bool, points: bool) -> None:
    settings = tiny_settings(
        epochs=3,
        batch_size=batch_size,
        accumulate=accumulate,
        # torch's BatchNorm on CPUs is ten times less exact for channels_last, and large steps
        # multiply any rounding: both would hide a real difference between one process and two.
        channels_last=False,
        learning_rate=0.002,
        clip_norm=1.0,
    )
    with join_world("cpu") as world:
        steps: list[dict[str, float]] = []
        state = begin(tiny_detector(TINY_POINTS if points else TINY), settings, world)
        if poison and world.rank == world.size - 1:
            state.detector.register_forward_hook(nan_boxes)
        plan = tiny_plan(
            settings,
            num_samples=17,
            world=world,
            evaluate=pretended_ap,
            watch=lambda event: (
                steps.append({**event.losses, "norm": event.gradient_norm})
                if isinstance(event, StepDone)
                else None
            ),
        )
        error = ""
        try:
            train(state, plan)
        except NonFiniteLoss as caught:
            error = str(caught)
        torch.save(
            {
                "steps": steps,
                "history": state.history,
                "weights": state.detector.state_dict(),
                "average": state.detector_to_use.state_dict(),
                "error": error,
            },
            out / f"{world.rank}.pt",
        )


def nan_boxes(module: object, inputs: object, predictions: Predictions) -> Predictions:
    return predictions._replace(box_deltas=predictions.box_deltas * float("nan"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        poison="poison" in sys.argv,
        points="points" in sys.argv,
    )
