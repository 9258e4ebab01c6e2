"""Write a file, prove it, then give it its name, so that no bad file has a good name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pocketdet.export.formats import writer_for
from pocketdet.export.network import FileNetwork, file_input, file_outputs
from pocketdet.export.origin import origin_of
from pocketdet.export.pictures import made_up_pictures
from pocketdet.export.proof import Proof, prove
from pocketdet.export.settings import ExportSettings
from pocketdet.export.tolerance import TOLERANCES
from pocketdet.model.detector import Detector
from pocketdet.model.fold import fold_batch_norm
from pocketdet.runtime import Card, card_path, open_runner, write_card
from pocketdet.runtime.sessions.installed import check_installed

REJECTED = ".rejected"
"""Before the suffix, so that every tool still opens the file."""

SAME_WEIGHTS = {".xml": ".param", ".param": ".xml"}
"""Formats that keep their weights as .bin beside the file."""


class RejectedExport(Exception):
    """The file was written, and is not the same detector; it is kept under `file`."""

    def __init__(self, file: Path, proof: Proof) -> None:
        self.file, self.proof = file, proof
        super().__init__(
            f"{proof.failures[0]}. The file is not the same detector; it is kept as {file}."
        )


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An export that was proven: the file, its card, its size with all that belongs to it."""

    file: Path
    card: Card
    proof: Proof
    num_bytes: int
    seconds: float


def export_detector(
    detector: Detector,
    path: Path | str,
    settings: ExportSettings | None = None,
    *,
    network: nn.Module | None = None,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
    source: str = "",
) -> Exported:
    """Write a detector as `path` with its card beside it, after running the file beside it.

    `network` replaces the detector's own (with batch norm folded), for one that was quantised: it
    gives `RawOutputs` for normalised pictures. `pictures`, (H, W, 3) uint8 RGB of the input's
    size, are what it is proven on; without, some are made up. A file that is not the same
    detector raises `RejectedExport`, and `path` stays as it was.
    """
    start = perf_counter()
    settings, path = settings or ExportSettings(), Path(path)
    if path.suffix != settings.suffix:
        raise ValueError(f"`path` must end in {settings.suffix} for {settings.to}; got {path}.")
    if settings.precision == "int8" and network is None:
        raise ValueError(
            "`precision` int8 needs a network that is quantised: `pocketdet compress RUN --how "
            "quantize` makes one, and exports it."
        )
    check_installed(settings.to)
    _check_weights_of_others(path)
    detector = detector.cpu().eval()
    prepared = FileNetwork(
        detector, network if network is not None else fold_batch_norm(detector), settings
    ).eval()
    writer = writer_for(settings.to)
    card = Card(
        runtime=settings.to,
        precision=settings.precision,
        input=file_input(detector, settings, batch=writer.batch),
        outputs=file_outputs(detector, settings),
        classes=detector.classes,
        detection=settings.detection,
        origin=origin_of(detector, source=source),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # A leading point: nobody takes it for finished, and a run that is killed leaves only that.
    partial = path.with_name(f".{path.name.removesuffix(path.suffix)}.partial{path.suffix}")
    writer.write(prepared, card, partial, settings)
    shown = list(pictures) if pictures is not None else made_up_pictures(detector.contract)
    with open_runner(partial, card=card) as runner:
        proof = prove(
            runner,
            prepared,
            shown,
            TOLERANCES[settings.precision],
            made_up=pictures is None,
        )
    card = replace(card, proof=proof.to_data())
    if proof.failures:
        rejected = path.with_name(f"{path.stem}{REJECTED}{path.suffix}")
        _rename(partial, rejected)
        write_card(card, rejected)
        raise RejectedExport(rejected, proof)
    writer.embed(partial, card)
    files = _rename(partial, path)
    files.append(write_card(card, path))
    return Exported(
        file=path,
        card=card,
        proof=proof,
        num_bytes=sum(file.stat().st_size for file in files if file != card_path(path)),
        seconds=perf_counter() - start,
    )


def _check_weights_of_others(path: Path) -> None:
    other = path.with_suffix(SAME_WEIGHTS.get(path.suffix, ""))
    if path.suffix in SAME_WEIGHTS and other.is_file():
        raise ValueError(
            f"`path` must have another name than {other.name}: both would keep their weights in "
            f"{path.with_suffix('.bin').name}; got {path}."
        )


def _rename(partial: Path, path: Path) -> list[Path]:
    """Rename a file with the weights that may lie beside it as .bin; the file itself last."""
    moved: list[Path] = []
    weights = partial.with_suffix(".bin")
    if weights.is_file():
        moved.append(weights.replace(path.with_suffix(".bin")))
    moved.append(partial.replace(path))
    return moved
