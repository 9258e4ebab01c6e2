"""Trials in several processes: the same results, and nothing left behind."""

from dataclasses import replace
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from small_trial import SMALL, small_settings, small_trial

from pocketdet import load_config
from pocketdet.trial import Job, SideBySide, Steps, run_trial

SCRIPT = Path(__file__).with_name("run_side_by_side.py")


def test_one_device_needs_no_other_process(source, data, tmp_path) -> None:
    trial = small_trial(source, steps=Steps(total=10, warmup=2))
    shares: list[float] = []
    with SideBySide(devices=("cpu",), data=data) as machines:
        (result,) = machines.run([Job(trial, tmp_path)], shares.append)
    assert result.num_steps == 10
    assert shares == sorted(shares)
    assert all(0 < share < 1 for share in shares)


@pytest.mark.slow
def test_side_by_side_is_the_same_in_the_same_order_and_processes_are_kept(
    source, data, tmp_path
) -> None:
    trials = [
        small_trial(source, steps=Steps(total=10, warmup=2), settings=small_settings(seed=seed))
        for seed in range(3)
    ]
    shares: list[float] = []
    with SideBySide(devices=("cpu", "cpu"), data=data) as machines:
        beside = machines.run([Job(trial, tmp_path / "beside") for trial in trials], shares.append)
        longer = [replace(trial, steps=Steps(total=20, warmup=2)) for trial in trials[:2]]
        machines.run([Job(trial, tmp_path / "beside") for trial in longer])
    assert shares[-1] == 3.0
    for trial, result in zip(trials, beside, strict=True):
        alone = run_trial(trial, folder=tmp_path / "alone", data=data, device="cpu")
        assert [row["loss"] for row in result.history] == [row["loss"] for row in alone.history]
        assert result.figures == pytest.approx(alone.figures, abs=0, nan_ok=True)


PART = """\
from dataclasses import dataclass
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Itself:
    def build(self, channels):
        return nn.Identity()
"""


@pytest.mark.slow
def test_parts_beside_a_config_file_are_found_by_the_processes_too(source, data, tmp_path) -> None:
    (tmp_path / "my_folder").mkdir()
    (tmp_path / "my_folder" / "parts_beside.py").write_text(PART)
    (tmp_path / "my_folder" / "own.yaml").write_text("attention: parts_beside:Itself\n")
    own = load_config(tmp_path / "my_folder" / "own.yaml").attention
    assert str(tmp_path / "my_folder") not in sys.path
    trials = [
        small_trial(
            source,
            replace(SMALL, attention=own),
            steps=Steps(total=10, warmup=2),
            settings=small_settings(seed=seed),
        )
        for seed in range(2)
    ]
    with SideBySide(devices=("cpu", "cpu"), data=data) as machines:
        results = machines.run([Job(trial, tmp_path / "trials") for trial in trials])
    assert [result.num_steps for result in results] == [10, 10]


@pytest.mark.slow
def test_what_a_training_raises_is_raised_and_names_its_cause(source, data, tmp_path) -> None:
    bad = small_trial(source, steps=Steps(total=10, warmup=2), num_train=10_000)
    with (
        SideBySide(devices=("cpu", "cpu"), data=data) as machines,
        pytest.raises(ValueError, match="`num_train` must be at most the 24 images"),
    ):
        machines.run([Job(bad, tmp_path), Job(replace(bad, num_train=9_999), tmp_path)])


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_training_outlives_its_parent(source, tmp_path, how) -> None:
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), source.data, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(60):
        if len(list(tmp_path.glob("*/trial.json"))) == 2:
            break
        time.sleep(0.5)
    if how == signal.SIGINT:  # Ctrl-C goes to all processes of the terminal.
        os.killpg(process.pid, how)
    else:
        process.kill()
    _, said = process.communicate(timeout=60)
    for _ in range(40):
        if not _is_alive(process.pid):
            break
        time.sleep(0.25)
    assert not _is_alive(process.pid)
    if how == signal.SIGINT:
        assert said.count("KeyboardInterrupt") <= 1


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
