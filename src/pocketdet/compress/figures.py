"""What a detector scores and costs: the columns of the table before and after."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import io
from typing import Any

import torch

from pocketdet.compress.latency import Latency
from pocketdet.model import Detector
from pocketdet.model.cost import count_macs, count_parameters
from pocketdet.model.saved_detector import compact_data


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row of the table.

    - `ap`, `ap50`: shares, on the validation split;
    - `parameters`, `macs`: of the network as it trains, at the contract's input size;
    - `file_bytes`: of a checkpoint with nothing but the detector;
    - `latency`: measured, one picture at once.
    """

    ap: float
    ap50: float
    parameters: int
    macs: int
    file_bytes: int
    latency: Latency

    def to_data(self) -> dict[str, Any]:
        """Give plain data that JSON can hold."""
        return asdict(self)


def count_cost(detector: Detector) -> tuple[int, int]:
    """Count parameters and the multiply-accumulates of one picture of the contract's size."""
    height, width = detector.contract.height, detector.contract.width
    image = torch.zeros(1, 3, height, width, device=detector.device)
    return count_parameters(detector), count_macs(detector, image)


def checkpoint_bytes(detector: Detector) -> int:
    """Count the bytes of a checkpoint with nothing but the detector."""
    file = io.BytesIO()
    torch.save(compact_data(detector), file)
    return file.getbuffer().nbytes


def figures_of(detector: Detector, scores: Mapping[str, float], latency: Latency) -> Figures:
    """Join what was scored and timed with what can be counted."""
    parameters, macs = count_cost(detector)
    return Figures(
        ap=scores["ap"],
        ap50=scores["ap50"],
        parameters=parameters,
        macs=macs,
        file_bytes=checkpoint_bytes(detector),
        latency=latency,
    )
