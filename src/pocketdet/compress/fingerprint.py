"""A name for a detector's exact weights and structure."""

from hashlib import sha256
import json

from pocketdet.model import Detector
from pocketdet.model.saved_detector import detector_to_data


def fingerprint(detector: Detector) -> str:
    """Give 32 hexadecimal digits that are the same for the same config, surgery and weights."""
    data = detector_to_data(detector)
    weights = data.pop("weights")
    digest = sha256(json.dumps(data, sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
