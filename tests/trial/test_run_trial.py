"""A trial is read where it is done, goes on where it was stopped, and never ends in a traceback."""

from dataclasses import replace
from pathlib import Path
import random
import subprocess
import sys
import time

import pytest
from small_trial import SMALL, small_settings, small_trial, squares, write_shapes
import torch

from pocketdet.evaluate import evaluate_detections
from pocketdet.model import CBAM, Detector
from pocketdet.runs.data import DataSource
from pocketdet.train.checkpoint import read_checkpoint
from pocketdet.train.events import StepDone
from pocketdet.trial import Steps, Trial, open_trial_data, run_trial
import pocketdet.trial.run

SCRIPT = Path(__file__).with_name("run_trial_in_folder.py")


class Stopped(Exception):
    pass


def stop_after(steps: int):
    """Give a watcher that breaks off once so many steps of this process are done."""
    done = 0

    def watch(event) -> None:
        nonlocal done
        done += isinstance(event, StepDone)
        if done == steps:
            raise Stopped

    return watch


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = folder.glob("*/last.pt")
    return torch.load(path, weights_only=True)["weights"]


def assert_same_result(first, second) -> None:
    assert first.figures == pytest.approx(second.figures, abs=0, nan_ok=True)
    assert first.held_out_loss == second.held_out_loss
    assert [row["loss"] for row in first.history] == [row["loss"] for row in second.history]
    for one, other in zip(first.detections, second.detections, strict=True):
        assert torch.equal(one.boxes_xyxy, other.boxes_xyxy)
        assert torch.equal(one.scores, other.scores)
        assert torch.equal(one.labels, other.labels)


def test_a_result_that_is_there_is_read_and_nothing_is_trained(source, data, tmp_path) -> None:
    trial = small_trial(source, steps=Steps(total=10, warmup=2))
    first = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    second = run_trial(trial, folder=tmp_path, data=data, device="cpu", watch=stop_after(1))
    assert_same_result(first, second)
    assert second.history == first.history
    assert (second.seconds, second.num_steps) == (first.seconds, 10)
    assert second.class_ap.keys() == {"bright", "dark"}


def test_the_stored_detections_score_as_the_figures_say(source, data, tmp_path) -> None:
    trial = small_trial(source, steps=Steps(total=60, warmup=5), )  # fmt: skip
    run_trial(trial, folder=tmp_path, data=data, device="cpu")
    result = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    again = evaluate_detections(result.detections, data.data.val, data.data.classes)
    assert result.ap > 0
    assert again.ap == pytest.approx(result.ap, abs=1e-12)
    assert again.ap50 == pytest.approx(result.ap50, abs=1e-12)


def test_twenty_steps_are_ten_and_ten_more(source, data, tmp_path) -> None:
    short, long = (small_trial(source, steps=Steps(total=n, warmup=5)) for n in (10, 20))
    assert short.key == long.key
    run_trial(short, folder=tmp_path / "both", data=data, device="cpu")
    counted: list[int] = []

    def count(event) -> None:
        if isinstance(event, StepDone):
            counted.append(event.step)

    continued = run_trial(long, folder=tmp_path / "both", data=data, device="cpu", watch=count)
    assert counted == list(range(10, 20))
    whole = run_trial(long, folder=tmp_path / "whole", data=data, device="cpu")
    assert_same_result(continued, whole)


def test_fewer_steps_than_were_made_are_trained_beside(source, data, tmp_path) -> None:
    long = small_trial(source, steps=Steps(total=20, warmup=5))
    run_trial(long, folder=tmp_path / "long first", data=data, device="cpu")
    before = last_weights(tmp_path / "long first")
    short = replace(long, steps=Steps(total=10, warmup=5))
    after_long = run_trial(short, folder=tmp_path / "long first", data=data, device="cpu")
    alone = run_trial(short, folder=tmp_path / "short", data=data, device="cpu")
    assert_same_result(after_long, alone)
    after = last_weights(tmp_path / "long first")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("steps", [None, Steps(total=30, warmup=5)])
def test_an_interrupted_trial_ends_as_if_it_had_not_been(
    source, data, tmp_path, monkeypatch, steps
) -> None:
    monkeypatch.setattr(pocketdet.trial.run, "SAVE_EVERY", 0.0)
    trial = small_trial(source, steps=steps, settings=small_settings(epochs=3))
    whole = run_trial(trial, folder=tmp_path / "whole", data=data, device="cpu")
    for stop in (8, 7):
        with pytest.raises(Stopped):
            run_trial(trial, folder=tmp_path / "halted", data=data, device="cpu", watch=stop_after(stop if steps is None else 2 * stop))  # fmt: skip
    resumed = run_trial(trial, folder=tmp_path / "halted", data=data, device="cpu")
    assert_same_result(resumed, whole)
    first, second = last_weights(tmp_path / "whole"), last_weights(tmp_path / "halted")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_trial_of_all_epochs_leaves_a_detector_and_little_else(source, data, tmp_path) -> None:
    trial = small_trial(source)
    result = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    (folder,) = tmp_path.iterdir()
    assert {file.name for file in folder.iterdir()} == {
        "last.pt",
        "result-epochs.npz",
        "trial.json",
    }
    assert isinstance(Detector.load(folder / "last.pt"), Detector)
    with pytest.raises(ValueError, match="no training to go on with"):
        read_checkpoint(folder / "last.pt")
    assert [row["step"] for row in result.history] == [6, 12]


def test_divergence_is_an_outcome(source, data, tmp_path) -> None:
    hot = small_settings(learning_rate=1e9, clip_norm=None)
    trial = small_trial(source, settings=hot, steps=Steps(total=40, warmup=0))
    result = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    assert result.outcome == "diverged"
    assert "not finite" in result.reason
    assert result.num_steps < 40
    assert result.ap == 0
    assert sum(len(found) for found in result.detections) == 0
    read = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    assert (read.outcome, read.reason, read.held_out_loss) == (
        "diverged",
        result.reason,
        float("inf"),
    )
    assert read.to_data()["held_out_loss"] is None


def test_the_held_out_loss_falls_while_a_network_learns(source, data, tmp_path) -> None:
    losses = [
        run_trial(
            small_trial(source, steps=Steps(total=n, warmup=5)),
            folder=tmp_path,
            data=data,
            device="cpu",
        ).held_out_loss
        for n in (10, 40)
    ]
    assert losses[1] < losses[0] - 0.2


def test_the_key_is_made_of_what_the_result_depends_on(source) -> None:
    trial = small_trial(source)
    others = [
        replace(trial, settings=small_settings(seed=1)),
        replace(trial, settings=small_settings(epochs=3)),
        replace(trial, num_train=8),
        replace(trial, steps=Steps(total=30)),
        replace(trial, config=replace(SMALL, attention=CBAM())),
        replace(trial, like=(replace(SMALL, attention=CBAM()),)),
    ]
    assert len({trial.key, *(other.key for other in others)}) == 1 + len(others)
    same = [
        replace(trial, like=(SMALL,)),
        replace(trial, settings=small_settings(num_workers=2)),
    ]
    assert {other.key for other in same} == {trial.key}
    elsewhere = replace(trial, source=DataSource(data="moved"))
    assert elsewhere.key == trial.key  # What is in the data counts, not where it is.


def test_an_edited_part_of_ones_own_is_another_trial(source, tmp_path, monkeypatch) -> None:
    part = tmp_path / "gate_for_trial_test.py"
    part.write_text(
        "from dataclasses import dataclass\n"
        "from torch import nn\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Gate:\n"
        "    def build(self, channels):\n"
        "        return nn.Identity()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import gate_for_trial_test

    trial = small_trial(source, replace(SMALL, attention=gate_for_trial_test.Gate()))
    before = trial.key
    part.write_text(part.read_text().replace("Identity", "Sigmoid"))
    assert trial.key != before


def test_other_boxes_are_another_trial(tmp_path) -> None:
    first = open_trial_data(DataSource(data=str(write_shapes(tmp_path / "first"))))
    copy = open_trial_data(DataSource(data=str(write_shapes(tmp_path / "copy"))))
    more = open_trial_data(DataSource(data=str(write_shapes(tmp_path / "more", num_val=11))))
    assert first.fingerprint == copy.fingerprint != more.fingerprint


def test_a_subset_is_always_the_same_one(data) -> None:
    some = data.subset(8, 4)
    assert (len(some.train), len(some.val)) == (8, 4)
    assert [s.image_id for s in some.train] == [s.image_id for s in data.subset(8, None).train]
    with pytest.raises(ValueError, match="`num_val` must be at most the 12 images"):
        data.subset(None, 13)


def test_a_length_that_cannot_be_is_refused(source) -> None:
    with pytest.raises(ValueError, match=r"multiple of 10 steps.*got 55, the nearest is 60"):
        Steps(total=55)
    with pytest.raises(ValueError, match="nearest is 30"):
        Steps(total=10)
    with pytest.raises(ValueError, match="`num_train` must be at least 1"):
        Trial(config=SMALL, source=source, num_train=0)


def test_a_damaged_result_is_named(source, data, tmp_path) -> None:
    trial = small_trial(source, steps=Steps(total=10, warmup=2))
    run_trial(trial, folder=tmp_path, data=data, device="cpu")
    (path,) = tmp_path.glob("*/result-10.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"result-10\.npz is no result of a trial"):
        run_trial(trial, folder=tmp_path, data=data, device="cpu")


@pytest.mark.slow
def test_a_killed_trial_goes_on_and_ends_with_equal_weights(tmp_path) -> None:
    shapes = write_shapes(tmp_path / "shapes")
    arguments = [sys.executable, str(SCRIPT), str(shapes)]
    subprocess.run([*arguments, str(tmp_path / "whole"), "200"], check=True)
    rng = random.Random(time.time_ns())
    kills = 0
    for _ in range(4):
        with subprocess.Popen([*arguments, str(tmp_path / "killed"), "200"]) as process:
            before = _written(tmp_path / "killed")
            while process.poll() is None and _written(tmp_path / "killed") == before:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.3))
            kills += process.poll() is None
            process.kill()
    assert kills >= 2, "it was never killed in the middle"
    subprocess.run([*arguments, str(tmp_path / "killed"), "200"], check=True)
    first, second = last_weights(tmp_path / "whole"), last_weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _written(folder: Path) -> list[int]:
    return [path.stat().st_mtime_ns for path in folder.glob("*/last.pt")]


def test_squares_are_the_same_for_the_same_seed() -> None:
    first, second = squares(2), squares(2)
    assert torch.equal(first[1].boxes_xyxy, second[1].boxes_xyxy)
