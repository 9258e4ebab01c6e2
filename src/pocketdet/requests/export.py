"""What `pocketdet export` does: a run or checkpoint, pictures to prove it on, and a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.export import Exported, ExportSettings, export_detector
from pocketdet.export.pictures import real_pictures
from pocketdet.model.detector import Detector
from pocketdet.model.quantized import QuantizedDetector
from pocketdet.model.quantized.onnx_form import onnx_form
from pocketdet.model.saved_detector import checkpoint_in


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """As asked for on the command line.

    - `run`: a run's folder or a checkpoint; `out`: the file, or None for one in RUN/exports;
    - `data`, `split`: pictures to prove it on; None takes the run's own, if they are still there,
      and made-up ones else.
    """

    run: Path
    settings: ExportSettings
    out: Path | None = None
    data: str | None = None
    split: str | None = None


def run_export(request: ExportRequest) -> Exported:
    """Export and prove; raises `RejectedExport` where the file is not the same detector.

    A quantised detector is written as the integers that it holds: its precision is int8.
    """
    detector = Detector.load(request.run)
    settings, network = request.settings, None
    if isinstance(detector, QuantizedDetector):
        settings, network = _in_integers(settings), onnx_form(detector)
    return export_detector(
        detector,
        request.out or default_file(request.run, settings),
        settings,
        network=network,
        pictures=_pictures(request, detector),
        source=request.run.name if request.run.is_dir() else request.run.absolute().parent.name,
    )


def _in_integers(settings: ExportSettings) -> ExportSettings:
    if settings.to not in ("onnx", "openvino") or settings.precision == "fp16":
        raise ValueError(
            "`to` must be onnx or openvino, in int8, for a detector that is quantised; got "
            f"{settings.to} in {settings.precision}. Export the detector that it was made from."
        )
    return replace(settings, precision="int8")


def default_file(run: Path, settings: ExportSettings) -> Path:
    """Name the file: RUN/exports/model.onnx, with what differs from the defaults in its name.

    ncnn's is model.ncnn.param, so that its weights are not those of model.xml, model.bin.
    """
    folder = run if run.is_dir() else run.parent
    inside = "nms" if settings.nms == "inside" else "boxes" if settings.decodes else ""
    outside = "normalized" if settings.normalization == "outside" else ""
    precision = settings.precision if settings.precision != "fp32" else ""
    name = "-".join(part for part in ("model", precision, inside, outside) if part)
    of_ncnn = ".ncnn" if settings.to == "ncnn" else ""
    return folder / "exports" / f"{name}{of_ncnn}{settings.suffix}"


def _pictures(request: ExportRequest, detector: Detector) -> list[NDArray[np.uint8]] | None:
    contract = detector.contract
    if request.data is not None:
        return real_pictures(request.data, contract, split=request.split or "val")
    source = _training_source(request.run)
    data = source.get("data")
    if data is None or not Path(data).exists():
        return None
    return real_pictures(data, contract, split=request.split or source.get("split_val", "val"))


def _training_source(run: Path) -> Mapping[str, Any]:
    """Give where the run's data was; nothing for a checkpoint without training."""
    import torch

    data = torch.load(checkpoint_in(run), map_location="cpu", weights_only=True)
    return data.get("training", {}).get("source", {})
