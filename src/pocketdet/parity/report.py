"""What `pocketdet parity` found, and its verdict in one sentence."""

from dataclasses import dataclass
import math
from typing import Any

from pocketdet.parity.boxes import BoxComparison
from pocketdet.parity.cards import CardDifference
from pocketdet.parity.layers import LayerComparison, LayerError
from pocketdet.parity.raw_outputs import RawComparison


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far two sides may be apart and still be the same detector.

    - `raw`: relative error of an output; `layer`: that a single part may make;
    - `score`: of a box; `pixels`: of a side of it, None where only AP decides;
    - `ap`: difference in AP, in [0, 1].
    """

    raw: float
    layer: float
    score: float | None
    pixels: float | None
    ap: float = 0.001


MOST_UNMATCHED = 0.1  # share of boxes, where there is no AP to judge by
# fp32: kernels add in another order, which measures 1e-6 to 1e-5. fp16 has 11 bits. int8 rounds
# each map to 256 steps (25 to 40 dB where scales fit), moves every box, and is judged by AP.
LIMITS = {
    "fp32": Limits(raw=1e-3, layer=2e-4, score=1e-3, pixels=0.1),
    "fp16": Limits(raw=2e-2, layer=1e-2, score=2e-2, pixels=1.0),
    "int8": Limits(raw=math.inf, layer=0.25, score=None, pixels=None, ap=0.003),
}


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """Two sides, at every depth that could be looked at.

    - `cards`: fields that differ; `boxes`: matched one by one; `raw`: outputs by name and level;
    - `layers`: None where they could not be compared, and `layers_note` says why;
    - `permuted`: which class of A each column of B's class outputs is, where the file itself
      orders them otherwise; `suppression`: how B suppresses boxes otherwise;
    - `shared`: quantisers that outputs of different meaning share;
    - `has_card`: whether B says itself how it is fed and read; else as A is;
    - `ap_first`, `ap_second`: on the data, in [0, 1]; NaN without any.
    """

    first: str
    second: str
    precision: str
    limits: Limits
    num_images: int
    cards: tuple[CardDifference, ...] = ()
    boxes: BoxComparison
    raw: tuple[RawComparison, ...] = ()
    layers: LayerComparison | None = None
    layers_note: str = ""
    permuted: tuple[int, ...] = ()
    suppression: str = ""
    shared: tuple[str, ...] = ()
    has_card: bool = True
    ap_first: float = math.nan
    ap_second: float = math.nan

    @property
    def first_layer(self) -> LayerError | None:
        """The first part of the file that makes more error than is tolerated."""
        return None if self.layers is None else self.layers.first_beyond(self.limits.layer)

    @property
    def ap_difference(self) -> float:
        """AP of B less that of A, in [-1, 1]; NaN without data."""
        return self.ap_second - self.ap_first

    @property
    def causes(self) -> list[str]:
        """Everything that makes B another detector, what comes first in the data's way first."""
        found = [difference.says for difference in self.cards]
        if self.permuted:
            order = ", ".join(map(str, self.permuted))
            found.append(f"class columns of B are those of A in another order: {order}")
        found += self._of_layers()
        if self.suppression:
            found.append(self.suppression)
        return found or self._unexplained()

    def _of_layers(self) -> list[str]:
        if self.shared:
            return list(self.shared)
        bad = [entry for entry in self.raw if entry.level is None and self._is_beyond(entry)]
        shapes = [entry for entry in bad if entry.shapes is not None]
        if shapes and self.layers is not None and self.layers.odd_shape:
            return [self.layers.odd_shape]
        first = self.first_layer
        if first is None or (not bad and self.precision != "int8"):
            return []
        if self.permuted:
            return []
        return [says_of(first)]

    def _is_beyond(self, entry: RawComparison) -> bool:
        return not entry.relative <= self.limits.raw

    def _unexplained(self) -> list[str]:
        limits, boxes = self.limits, self.boxes
        found = [
            f"`{entry.name}` differs by {entry.largest:.3g} ({entry.sqnr_db:.0f} dB)"
            for entry in self.raw
            if entry.level is None and self._is_beyond(entry)
        ]
        if limits.score is not None and boxes.largest_score > limits.score:
            found.append(f"scores differ by up to {boxes.largest_score:.3f}")
        if limits.pixels is not None and boxes.largest_px > limits.pixels:
            found.append(f"boxes differ by up to {boxes.largest_px:.2f} px")
        if limits.pixels is not None and boxes.missing + boxes.extra:
            found.append(f"{boxes.missing} boxes are missing and {boxes.extra} are new")
        unmatched = (boxes.missing + boxes.extra) / max(boxes.matched * 2, 1)
        if math.isnan(self.ap_difference) and unmatched > MOST_UNMATCHED:
            found.append(f"{unmatched:.0%} of the boxes have no partner")
        if abs(self.ap_difference) > limits.ap:
            found.append(f"AP differs by {self.ap_difference * 100:+.2f}")
        return found

    @property
    def same(self) -> bool:
        return not self.causes

    @property
    def verdict(self) -> str:
        """Say in one line whether it is the same detector, and if not, why."""
        if not self.same:
            more = len(self.causes) - 1
            return f"differs: {self.causes[0]}" + (f" (and {more} more)" if more else "")
        boxes, ap = self.boxes, ""
        if not math.isnan(self.ap_difference):
            ap = f", AP within {abs(self.ap_difference) * 100:.2f}"
        if self.limits.pixels is None:
            return (
                f"the same detector as far as {self.precision} can be: mean IoU of boxes "
                f"{boxes.mean_iou:.3f}, {boxes.missing + boxes.extra} of {boxes.matched:,} without "
                f"a partner{ap} on {self.num_images} pictures"
            )
        return (
            f"the same detector: boxes within {boxes.largest_px:.2g} px, scores within "
            f"{boxes.largest_score:.1g}{ap} on {self.num_images} pictures"
        )

    def to_data(self) -> dict[str, Any]:
        """Give everything as plain data that JSON can hold."""
        layers = self.layers
        data = {
            "verdict": self.verdict,
            "same": self.same,
            "first": self.first,
            "second": self.second,
            "precision": self.precision,
            "num_images": self.num_images,
            "causes": self.causes,
            "cards": [difference.to_data() for difference in self.cards],
            "boxes": self.boxes.to_data(),
            "raw": [entry.to_data() for entry in self.raw],
            "layers": [] if layers is None else [layer.to_data() for layer in layers.layers],
            "has_card": self.has_card,
            "layers_note": self.layers_note,
            "ap": {"first": self.ap_first, "second": self.ap_second},
        }
        return finite(data)


def says_of(layer: LayerError) -> str:
    """Name the place of a layer's error and its reason, in one sentence."""
    line = f" ({layer.source})" if layer.source else ""
    made = (
        f"{layer.sqnr_db:.0f} dB made there" if math.isfinite(layer.made) else "no number is left"
    )
    reason = f", because {layer.reason}" if layer.reason else ""
    return (
        f"first at {layer.kind} `{layer.node}`, which is `{layer.does}` in "
        f"{layer.where or 'the network'}{line}: {made}{reason}"
    )


def finite(value: Any) -> Any:
    """Replace what JSON cannot hold by None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
