"""Run by tests as a process of its own, so that it can be killed: FOLDER EPOCHS."""

from pathlib import Path
import sys

from tiny_training import tiny_settings, train_in_folder
import torch

if __name__ == "__main__":
    torch.set_num_threads(1)
    train_in_folder(Path(sys.argv[1]), tiny_settings(epochs=int(sys.argv[2])))
