import csv

import cv2
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_training import tiny_settings, train_in_folder

from pocketdet.train.events import Ended, EpochDone, Started, StepDone
from pocketdet.train.metrics_log import MetricsLog, as_csv
from pocketdet.train.run_folder import RunFolder


def pretended_run(log, *, first_epoch, last_epoch, history):
    log(Started(num_epochs=9, epochs_done=first_epoch, steps_per_epoch=2, history=history))
    for epoch in range(first_epoch, last_epoch):
        for step in (2 * epoch, 2 * epoch + 1):
            losses = {"classification": 1.0 / (step + 1), "localization": 0.5}
            log(
                StepDone(
                    epoch=epoch, step=step, learning_rate=0.1, losses=losses, gradient_norm=1.0
                )
            )
        row = {"epoch": epoch + 1, "step": 2 * epoch + 2, "loss": 3.0 - epoch, "learning_rate": 0.1}
        if epoch:
            row["ap"] = epoch / 10
        history.append(row)
        log(EpochDone(row=row, history=history))


def scalars(folder):
    events = EventAccumulator(str(folder.events)).Reload()
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_csv_events_and_curves_tell_the_run(tmp_path):
    folder = RunFolder(tmp_path)
    log, history = MetricsLog(folder), []
    pretended_run(log, first_epoch=0, last_epoch=3, history=history)
    log(Ended(reason="enough", history=history))
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["ap"] for row in rows] == ["", "0.1", "0.2"]
    found = scalars(folder)
    assert found["epoch/ap"] == [(4, pytest.approx(0.1)), (6, pytest.approx(0.2))]
    assert [step for step, _ in found["step/classification"]] == list(range(6))
    assert cv2.imread(str(folder.curves)).std() > 0


def test_a_resumed_run_has_no_row_and_no_event_twice(tmp_path):
    folder, history = RunFolder(tmp_path), []
    pretended_run(MetricsLog(folder), first_epoch=0, last_epoch=2, history=history)
    log = MetricsLog(folder)  # The second epoch was not saved before the run was killed.
    history.pop()
    pretended_run(log, first_epoch=1, last_epoch=3, history=history)
    log(Ended(reason="enough", history=history))
    assert [row["epoch"] for row in csv.DictReader(folder.metrics.read_text().splitlines())] == [
        "1",
        "2",
        "3",
    ]
    assert [step for step, _ in scalars(folder)["step/classification"]] == list(range(6))


def test_csv_has_a_column_for_everything_that_ever_came():
    assert as_csv([{"epoch": 1}, {"epoch": 2, "ap": 0.5}]) == "epoch,ap\n1,\n2,0.5\n"


def test_a_real_run_can_be_read_back(tmp_path):
    state = train_in_folder(tmp_path, tiny_settings(epochs=2))
    rows = list(csv.DictReader(as_csv(state.history).splitlines()))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in state.history]
