from pathlib import Path
import random
import subprocess
import sys
import time

import pytest
from tiny_training import tiny_settings, train_in_folder
import torch

from pocketdet.train.checkpoint import read_checkpoint

SCRIPT = Path(__file__).with_name("train_tiny_in_folder.py")
EPOCHS, KILLS = 40, 4


def kill_soon_after_an_epoch(folder, rng):
    """Let a new process finish one more epoch and kill it a random time later; False: it ended."""
    last = folder / "last.pt"
    before = written(last)
    with subprocess.Popen([sys.executable, str(SCRIPT), str(folder), str(EPOCHS)]) as process:
        try:
            while process.poll() is None and written(last) == before:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.4))
            return process.poll() is None
        finally:
            process.kill()
            process.wait()
            read_checkpoint(last)  # Whole, whenever it was killed.


def written(path):
    return path.stat().st_mtime_ns if path.is_file() else 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_run_goes_on_and_ends_with_equal_weights(tmp_path):
    whole_folder, folder = tmp_path / "whole", tmp_path / "killed"
    whole_folder.mkdir()
    folder.mkdir()
    train_in_folder(whole_folder, tiny_settings(epochs=EPOCHS))

    rng = random.Random(time.time_ns())
    kills = sum(kill_soon_after_an_epoch(folder, rng) for _ in range(KILLS))
    assert kills >= 2, "it was never killed in the middle"
    train_in_folder(folder, tiny_settings(epochs=EPOCHS))

    for name in ("last.pt", "best.pt"):
        whole, killed = read_checkpoint(whole_folder / name), read_checkpoint(folder / name)
        assert killed["training"]["epoch"] == whole["training"]["epoch"]
        assert_equal_tensors(killed["weights"], whole["weights"])
        assert_equal_tensors(killed["training"]["weights"], whole["training"]["weights"])
    assert len(read_checkpoint(folder / "last.pt")["training"]["history"]) == EPOCHS


def assert_equal_tensors(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
