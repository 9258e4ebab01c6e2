"""What is compared: a detector or an exported file, both run in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
import torch
from torch import Tensor, nn

from pocketdet.conventions import ClassList, DecodeSettings, InputContract
from pocketdet.export.raw_network import RawNetwork
from pocketdet.model import Detector
from pocketdet.model.box_coder import LARGEST_GROWTH, BoxCoder
from pocketdet.runtime import (
    Arrays,
    Card,
    CellOutputs,
    DetectionArrays,
    FileInput,
    FileOutputs,
    PriorOutputs,
    Runner,
    is_exported_file,
    open_runner,
)
from pocketdet.runtime.outputs import as_places


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One side of a comparison.

    - `name`: as the user gave it; `runner`: runs it by its card;
    - `detector`: the network, where it is one; `path`: the file, where it is an exported one;
    - `has_card`: whether the file says itself how it is fed and read.
    """

    name: str
    runner: Runner
    detector: Detector | None = None
    path: Path | None = None
    has_card: bool = True

    @property
    def card(self) -> Card:
        return self.runner.card

    def with_input_of(self, other: "Subject") -> Runner:
        """Give a runner that is fed by another's contract, so that the networks are compared."""
        own = replace(self.card.input, contract=other.card.contract)
        card = replace(self.card, input=own)
        if self.path is not None:
            return open_runner(self.path, card=card)
        assert self.detector is not None
        return Runner(DetectorSession(self.detector), card)

    def detect(self, pictures: Sequence[NDArray[Any]]) -> list[DetectionArrays]:
        """Detect in (H, W, 3) uint8 RGB pictures, one after the other."""
        return [self.runner.predict([picture])[0] for picture in pictures]


def open_subject(name: str | Path) -> Subject:
    """Open a run, a checkpoint, or an exported file with its card."""
    path = Path(name)
    if is_exported_file(path):
        return Subject(name=str(name), runner=open_runner(path), path=path)
    return subject_of(Detector.load(path), name=str(name))


def subject_of(detector: Detector, *, name: str = "the detector") -> Subject:
    """Make a detector in memory one side of a comparison."""
    runner = Runner(DetectorSession(detector.eval()), card_of(detector))
    return Subject(name=name, runner=runner, detector=detector)


def card_of(detector: Detector) -> Card:
    """Give the card that an exported file of this detector has to agree with."""
    return Card(
        runtime="torch",
        input=FileInput(contract=detector.contract, normalization="outside", dtype="float32"),
        outputs=_outputs_of(detector),
        classes=ClassList.of(detector.classes),
        detection=DecodeSettings(),
    )


class PictureNetwork(nn.Module):
    """The same, from RGB pictures on the 0-255 scale: what a file does that normalises inside."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.network, self.contract = RawNetwork(detector), detector.contract

    contract: InputContract

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(self.contract.normalize(images))


class DetectorSession:
    """A network in torch, as a session of the runtime package."""

    def __init__(self, detector: Detector) -> None:
        self._network = RawNetwork(detector).eval()
        self._names = _outputs_of(detector).names

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        with torch.inference_mode():
            found = self._network(torch.from_numpy(inputs))
        return {name: value.numpy() for name, value in zip(self._names, found, strict=True)}

    def close(self) -> None:
        """Nothing is held that Python does not free."""


def _outputs_of(detector: Detector) -> FileOutputs:
    places = as_places(detector.places_cxcywh.numpy())
    coder = detector.box_coder
    if isinstance(coder, BoxCoder):
        return PriorOutputs(
            variances=coder.variances, largest_growth=LARGEST_GROWTH, places_cxcywh=places
        )
    return CellOutputs(num_bins=coder.num_bins, lowest=coder.lowest, places_cxcywh=places)
