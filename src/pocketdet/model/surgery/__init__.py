"""Changes of a built detector that its config does not state, as plain data in checkpoints.

A compressed detector is its config, built, and its surgeries, performed in their order. To add a
kind, add a file and a line here; `pocketdet.compress` decides what is cut, this only repeats it.
"""

from pocketdet.model.surgery.channels import Channels
from pocketdet.model.surgery.record import Surgery, surgeries_from_data, surgeries_to_data

__all__ = ["Channels", "Surgery", "surgeries_from_data", "surgeries_to_data"]
