"""Find the user's own line in the running stack."""

import os
from pathlib import Path
import sys
from types import FrameType

import torch

from pocketdet.doctor.finding import SourceLine

TORCH_FOLDER = str(Path(torch.__file__).parent)
DOCTOR_FOLDER = str(Path(__file__).parent)
PYTHON_FOLDER = str(Path(os.__file__).parent)


def users_line() -> SourceLine | None:
    """Give the innermost line that is neither torch's, Python's nor the doctor's."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        path = frame.f_code.co_filename
        if is_users(path):
            return SourceLine(path, frame.f_lineno)
        frame = frame.f_back
    return None


def is_users(path: str) -> bool:
    """Say whether a file is the user's (other packages that use torch are)."""
    if path.startswith(("<frozen", TORCH_FOLDER, DOCTOR_FOLDER)):
        return False
    return not path.startswith(PYTHON_FOLDER) or "site-packages" in path
