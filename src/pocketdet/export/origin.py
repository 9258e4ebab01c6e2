"""Where an exported file comes from, for its card."""

import hashlib
from importlib.metadata import version
from typing import Any

import torch

from pocketdet.model.config_data import config_to_data
from pocketdet.model.detector import Detector


def origin_of(detector: Detector, *, source: str = "") -> dict[str, Any]:
    """Give the config, a checksum of the weights, and the versions of what wrote the file.

    `source` is the name of the run or checkpoint.
    """
    return {
        "source": source,
        "config": config_to_data(detector.config),
        "weights_sha256": checksum(detector),
        "pocketdet": version("pocketdet"),
        "torch": torch.__version__,
    }


def checksum(detector: Detector) -> str:
    """Give the SHA-256 of all weights by name, in the order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(detector.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
