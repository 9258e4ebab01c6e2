"""Run by tests as a process of its own, so that it can be killed: DATA FOLDER STEPS."""

from pathlib import Path
import sys

from small_trial import small_trial
import torch

from pocketdet.runs.data import DataSource
from pocketdet.trial import Steps, run_trial
import pocketdet.trial.run

if __name__ == "__main__":
    torch.set_num_threads(1)
    pocketdet.trial.run.SAVE_EVERY = 0.0
    trial = small_trial(DataSource(data=sys.argv[1]), steps=Steps(total=int(sys.argv[3])))
    run_trial(trial, folder=Path(sys.argv[2]), device="cpu")
