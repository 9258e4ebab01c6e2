"""What `pocketdet predict` looks with; torch is imported for detectors only."""

from pathlib import Path

from pocketdet.predict.predictor import Predictor
from pocketdet.runtime import is_exported_file, open_runner


def predictor_of(path: Path, device: str, *, threads: int) -> Predictor:
    """Open an exported file, or load a checkpoint or a run's best."""
    if not is_exported_file(path):
        from pocketdet.evaluate.eager_predictor import EagerPredictor
        from pocketdet.evaluate.place import load_on

        return EagerPredictor(load_on(path, device))
    if device not in ("auto", "cpu"):
        raise ValueError(f"`device` must be cpu for an exported file; got {device!r}.")
    return open_runner(path, threads=threads)
