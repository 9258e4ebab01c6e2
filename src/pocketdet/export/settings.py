"""How a detector is exported."""

from dataclasses import dataclass, field
from typing import Literal

from pocketdet.conventions import DecodeSettings
from pocketdet.runtime.card import PRECISIONS, RUNTIMES, RuntimeName

Side = Literal["inside", "outside"]

SUFFIX_OF: dict[RuntimeName, str] = {
    "onnx": ".onnx",
    "openvino": ".xml",
    "ncnn": ".param",
    "litert": ".tflite",
    "executorch": ".pte",
    "torch": ".pt2",
}

HALF: tuple[RuntimeName, ...] = ("onnx", "openvino", "ncnn")
"""Where fp16 can be written."""

WITH_NMS: tuple[RuntimeName, ...] = ("onnx", "openvino")


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What to write.

    - `to`: the runtime; `precision`: fp32, fp16 (weights, and arithmetic where the runtime has it)
      or int8, for a network that is quantised already;
    - `normalization`: "inside" takes RGB pictures as they are, "outside" takes normalised ones;
    - `decode`: "inside" gives boxes and scores; "outside" gives raw outputs, and the card says how
      to read them;
    - `nms`: "inside" gives finished detections (then `decode` is inside, too);
    - `detection`: thresholds for NMS, inside the file or in the card;
    - `python`: of another environment, for the converters of litert and executorch.
    """

    to: RuntimeName = "onnx"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    normalization: Side = "inside"
    decode: Side = "outside"
    nms: Side = "outside"
    detection: DecodeSettings = field(default_factory=DecodeSettings)
    python: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("to", RUNTIMES),
            ("precision", PRECISIONS),
            ("normalization", ("inside", "outside")),
            ("decode", ("inside", "outside")),
            ("nms", ("inside", "outside")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(choices)}; got {getattr(self, name)!r}."
                )
        self._check_what_the_runtime_takes()

    def _check_what_the_runtime_takes(self) -> None:
        if self.precision == "fp16" and self.to not in HALF:
            raise ValueError(
                f"`precision` fp16 is written for {', '.join(HALF)}; `to` is {self.to}."
            )
        if self.nms == "inside" and self.to not in WITH_NMS:
            raise ValueError(
                f"`nms` can be inside for {', '.join(WITH_NMS)}; `to` is {self.to}, whose "
                "detections are picked by whoever runs the file, as the card says."
            )
        if self.decode == "inside" and self.to == "ncnn":
            raise ValueError(
                "`decode` must be outside for ncnn, whose maps have no batch; the card has the "
                "places and the code of the boxes."
            )

    @property
    def decodes(self) -> bool:
        """Say whether the file gives boxes."""
        return self.decode == "inside" or self.nms == "inside"

    @property
    def suffix(self) -> str:
        return SUFFIX_OF[self.to]
