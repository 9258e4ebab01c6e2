"""Faults planted into right exports of a trained detector, and what `parity` says of each.

    python benchmarks/export_faults.py RUN DATA [--split test] [--images 24] [--out FILE.md]

Cards are changed on disk, graphs while they are written; then each file is compared as
`pocketdet parity RUN FILE --data DATA` does.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
import warnings

import torch
from torch import Tensor, nn

from pocketdet.conventions import ClassList, DecodeSettings
from pocketdet.export import ExportSettings, export_detector, network
from pocketdet.export.nms_operator import select_boxes
from pocketdet.export.pictures import real_pictures
from pocketdet.model import Detector
from pocketdet.model.fold import fold_batch_norm
from pocketdet.parity.run import ParityRequest, run_parity
from pocketdet.parity.subject import card_of
from pocketdet.runtime import Card, PriorOutputs, read_card, write_card

CardChange = Callable[[Card], Card]


def with_contract(**changes: Any) -> CardChange:
    def change(card: Card) -> Card:
        contract = replace(card.contract, **changes)
        return replace(card, input=replace(card.input, contract=contract))

    return change


def with_rotated_classes(card: Card) -> Card:
    names = list(card.classes)
    return replace(card, classes=ClassList.of(names[1:] + names[:1]))


def with_swapped_variances(card: Card) -> Card:
    assert isinstance(card.outputs, PriorOutputs)
    own = card.outputs.variances
    return replace(card, outputs=replace(card.outputs, variances=own[2:] + own[:2]))


CARDS: dict[str, CardChange] = {
    "channel order in the card": with_contract(channel_order="RGB"),
    "mean left out of the card": with_contract(mean=(0.0, 0.0, 0.0)),
    "resize by areas in the card": with_contract(interpolation="area"),
    "letterbox in the card": with_contract(resize="letterbox"),
    "classes rotated in the card": with_rotated_classes,
    "variances swapped in the card": with_swapped_variances,
}


class Joined(nn.Module):
    """Boxes in pixels and scores in one map before they are told apart: one output for both."""

    def __init__(self, decoding: nn.Module) -> None:
        super().__init__()
        self.decoding = decoding

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat(self.decoding(images), dim=-1)
        return both[..., :4] * 1.0, both[..., 4:] * 1.0


def write_shared_scale(detector: Detector, data: str, path: Path) -> None:
    """Write int8 by ONNX Runtime's own quantiser, with one grid for boxes and scores."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    settings = ExportSettings(decode="inside", normalization="outside")
    decoding = network.FileNetwork(detector, fold_batch_norm(detector), settings)
    pictures = real_pictures(data, detector.contract, split="train")[:16]
    inputs = [
        detector.preprocess(torch.from_numpy(p).permute(2, 0, 1)[None]).numpy() for p in pictures
    ]

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter([{"images": given} for given in inputs])

        def get_next(self) -> Any:
            return next(self.rows, None)

    outputs = network.file_outputs(detector, settings)
    plain = path.with_name("joined.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Joined(decoding).eval(), (torch.from_numpy(inputs[0]),), str(plain), dynamo=False,
            opset_version=18, input_names=["images"], output_names=list(outputs.names),
        )  # fmt: skip
    quantize_static(
        str(plain), str(path), Reader(), per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    card = card_of(detector)
    own = replace(card.input, batch=1)
    write_card(replace(card, runtime="onnx", precision="int8", input=own, outputs=outputs), path)


def agnostic_rows(boxes_xyxy: Tensor, scores: Tensor, settings: DecodeSettings) -> Tensor:
    """Give what `detection_rows` does, by one NMS over all classes."""
    best, labels = scores.max(dim=2)
    chosen = select_boxes(boxes_xyxy, best[:, None], settings)
    image, place = chosen[:, 0], chosen[:, 2]
    entries = [
        image[:, None].float(),
        boxes_xyxy[image, place],
        best[image, place][:, None],
        labels[image, place][:, None].float(),
    ]
    return torch.cat(entries, dim=1)


@contextmanager
def replaced(name: str, value: Any) -> Iterator[None]:
    before = getattr(network, name)
    setattr(network, name, value)
    try:
        yield
    finally:
        setattr(network, name, before)


def files(detector: Detector, data: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write one file after the other, each with its fault."""
    healthy = folder / "healthy.onnx"
    export_detector(detector, healthy)
    yield "nothing", healthy
    for number, (name, change) in enumerate(CARDS.items()):
        path = folder / f"card{number}.onnx"
        path.write_bytes(healthy.read_bytes())
        write_card(change(read_card(healthy)), path)
        yield name, path
    path = folder / "shared.onnx"
    write_shared_scale(detector, data, path)
    yield "one int8 scale for boxes and scores", path
    inside = ExportSettings(nms="inside")
    export_detector(detector, folder / "nms.onnx", inside)
    yield "nothing, NMS inside", folder / "nms.onnx"
    with replaced("detection_rows", agnostic_rows):
        export_detector(detector, folder / "agnostic.onnx", inside)
    yield "NMS over all classes at once, inside", folder / "agnostic.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("data")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| planted | what `parity` says |", "|---|---|"]
    with TemporaryDirectory() as folder:
        for name, path in files(Detector.load(given.run), given.data, Path(folder)):
            report = run_parity(
                ParityRequest(
                    first=str(given.run),
                    second=str(path),
                    data=given.data,
                    split=given.split,
                    images=given.images,
                )
            )
            lines.append(f"| {name} | {report.verdict} |")
            print(lines[-1], flush=True)
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
