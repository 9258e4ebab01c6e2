"""The card of an exported file: all that somebody needs to run it, and how far it was proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pocketdet.conventions.class_list import ClassList
from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.conventions.input_contract import InputContract
from pocketdet.runtime.outputs import FileOutputs

RuntimeName = Literal["onnx", "openvino", "ncnn", "litert", "executorch", "torch"]
RUNTIMES: tuple[RuntimeName, ...] = ("onnx", "openvino", "ncnn", "litert", "executorch", "torch")

EMBEDDED_NAME = "pocketdet.card"
"""The name of the card among a file's own metadata, where the format has such."""

PRECISIONS = ("fp32", "fp16", "int8")

NormalizationPlace = Literal["inside", "outside"]


@dataclass(frozen=True, kw_only=True)
class FileInput:
    """What the file takes: (batch, 3, height, width).

    - `contract`: size, resize, interpolation, channel order, mean and scale of the network;
    - `normalization`: "inside" takes RGB pictures on the 0-255 scale, and the file itself orders
      the channels, subtracts the mean and scales; "outside" takes what `contract.normalize` gives;
    - `dtype`: of the numbers that are fed, "uint8" or "float32" (on the 0-255 scale if inside);
    - `batch`: pictures at once, or None for any number;
    - `name`: of the input, in the file.
    """

    contract: InputContract
    normalization: NormalizationPlace = "inside"
    dtype: Literal["uint8", "float32"] = "uint8"
    batch: int | None = None
    name: str = "images"

    def __post_init__(self) -> None:
        if self.normalization not in ("inside", "outside"):
            raise ValueError(
                f"`normalization` must be one of inside, outside; got {self.normalization!r}."
            )
        if self.dtype not in ("uint8", "float32"):
            raise ValueError(f"`dtype` must be one of uint8, float32; got {self.dtype!r}.")
        if self.normalization == "outside" and self.dtype == "uint8":
            raise ValueError("`dtype` must be float32 where `normalization` is outside; got uint8.")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"`batch` must be at least 1, or null for any; got {self.batch}.")


@dataclass(frozen=True, kw_only=True)
class Card:
    """What lies beside an exported file as `FILE.card.json`, and inside it where it can.

    - `runtime`, `precision`: what the file is for, and of what its numbers are made;
    - `input`, `outputs`: what goes in, and what comes out and means;
    - `classes`: names, by label;
    - `detection`: thresholds and NMS, those that it was evaluated with;
    - `origin`: where it comes from (config, checksum of the weights, versions, …), as plain data;
    - `proof`: what was measured against the detector that it was made from, as plain data; empty
      where nothing was.
    """

    runtime: RuntimeName
    precision: str = "fp32"
    input: FileInput
    outputs: FileOutputs
    classes: ClassList
    detection: DecodeSettings = DecodeSettings()
    origin: Mapping[str, Any] = field(default_factory=dict[str, Any])
    proof: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        for name, choices in (("runtime", RUNTIMES), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(choices)}; got {getattr(self, name)!r}."
                )

    @property
    def contract(self) -> InputContract:
        """The input that the network was made for."""
        return self.input.contract
