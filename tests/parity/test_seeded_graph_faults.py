"""A file whose graph does something else: parity names the node, the module and the convention."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from exported_file import SMALL, WITH_NECK, edit, file_card, lively, parity, pictures, write_file
import numpy as np
import onnx
from onnx import numpy_helper
import pytest
import torch

from pocketdet.parity.subject import RawNetwork
from pocketdet.runtime import write_card


def set_attribute(name: str, value: bytes | int) -> Any:
    def change(node: Any) -> None:
        for attribute in node.attribute:
            if attribute.name == name and isinstance(value, bytes):
                attribute.s = value
            elif attribute.name == name:
                attribute.i = value

    return change


@pytest.mark.parametrize(
    ("mode", "convention"),
    [(b"align_corners", "linear, corners aligned"), (b"asymmetric", "linear, asymmetric")],
)
def test_a_resize_of_another_convention(mode: bytes, convention: str, tmp_path: Path) -> None:
    detector = lively(WITH_NECK)
    file = write_file(detector, tmp_path / "a.onnx")
    assert edit(file, "Resize", set_attribute("coordinate_transformation_mode", mode)) == 1
    report = parity(detector, file)
    assert "in neck.upsample.0 (resize.py:" in report.verdict
    assert f"it resizes by another convention: {convention}" in report.verdict
    assert report.first_layer is not None
    assert report.first_layer.does == "upsample_bilinear2d"


def test_padding_that_a_pooling_counts(tmp_path: Path) -> None:
    # 9 rows: the last window of the second pooling hangs over the edge
    odd = replace(SMALL, input=replace(SMALL.input, height=72, width=104))
    detector = lively(odd)
    file = write_file(detector, tmp_path / "a.onnx")

    def count_padding(node: Any) -> None:
        for attribute in node.attribute:
            if attribute.name == "pads":
                attribute.ints[:] = [0, 0, 1, 1]
            elif attribute.name in ("ceil_mode", "count_include_pad"):
                attribute.i = int(attribute.name == "count_include_pad")

    model = onnx.load(str(file))
    pools = [node for node in model.graph.node if node.op_type == "AveragePool"]
    count_padding(pools[-1])
    onnx.save(model, str(file))
    report = parity(detector, file)
    assert report.first_layer is not None, report.verdict
    assert report.first_layer.does == "avg_pool2d"
    assert "fills up the last windows with zeros and counts them" in report.verdict


def test_a_pooling_that_rounds_down_is_named_by_its_size(tmp_path: Path) -> None:
    odd = replace(SMALL, input=replace(SMALL.input, height=72, width=104))
    detector = lively(odd)
    floored = lively(odd)
    for module in floored.modules():
        if isinstance(module, torch.nn.AvgPool2d):
            module.ceil_mode = False
    file = write_file(detector, tmp_path / "a.onnx", network=RawNetwork(floored))
    report = parity(detector, file)
    assert "first at `avg_pool2d` in stages.2.pool (detector.py:" in report.verdict
    assert "a size that the file has nowhere" in report.verdict


def test_float16_that_overflows(tmp_path: Path) -> None:
    detector = lively()
    with torch.no_grad():
        detector.head.get_parameter("blocks.0.residual.0.0.weight").mul_(1e6)
        detector.head.get_parameter("blocks.0.residual.0.1.weight").mul_(3e5)
    card = replace(file_card(detector), precision="fp16")
    file = write_file(detector, tmp_path / "a.onnx", card=card)
    to_half(file)
    report = parity(detector, file, pictures(1))
    assert "head.blocks.0.residual.0" in report.verdict
    assert "above float16's 65,504, and overflow" in report.verdict


def to_half(path: Path) -> None:
    """Cast every weight and result to float16, the input and outputs back."""
    model = onnx.load(str(path))
    graph = model.graph
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            with np.errstate(over="ignore"):
                tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.t.data_type == onnx.TensorProto.FLOAT:
                values = numpy_helper.to_array(attribute.t).astype(np.float16)
                attribute.t.CopyFrom(numpy_helper.from_array(values))
    (given,) = graph.input
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        node.input[:] = ["half_input" if name == given.name else name for name in node.input]
        node.output[:] = [f"half_{n}" if n in outputs else n for n in node.output]
        node.input[:] = [f"half_{n}" if n in outputs else n for n in node.input]
    first = onnx.helper.make_node("Cast", [given.name], ["half_input"], to=onnx.TensorProto.FLOAT16)
    graph.node.insert(0, first)
    for name in sorted(outputs):
        graph.node.append(
            onnx.helper.make_node("Cast", [f"half_{name}"], [name], to=onnx.TensorProto.FLOAT)
        )
    del graph.value_info[:]
    onnx.save(model, str(path))


def test_class_columns_that_the_file_rotates(tmp_path: Path) -> None:
    detector = lively()
    rotated = RotatedClasses(detector)
    report = parity(detector, write_file(detector, tmp_path / "a.onnx", network=rotated))
    assert "class columns of B are those of A in another order: 0, 2, 3, 1" in report.verdict


class RotatedClasses(RawNetwork):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        class_logits, box_deltas = super().forward(images)
        return class_logits[..., [0, 2, 3, 1]], box_deltas


def test_a_scale_that_boxes_and_scores_share(tmp_path: Path) -> None:
    detector = lively()
    with torch.no_grad():
        head = detector.head
        for name, module in head.named_modules():
            if isinstance(module, torch.nn.Conv2d) and "box" in name:
                module.weight.mul_(40)
    plain = write_file(detector, tmp_path / "plain.onnx", network=Joined(detector))
    file = quantized(plain, tmp_path / "a.onnx")
    write_card(replace(file_card(detector), precision="int8"), file)
    report = parity(detector, file)
    assert "is shared by `class_logits` and `box_deltas`" in report.verdict
    assert "of 256 steps" in report.verdict


class Joined(RawNetwork):
    """Boxes and classes in one map before they are told apart: what a single output does."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        class_logits, box_deltas = super().forward(images)
        both = torch.cat([class_logits, box_deltas], dim=-1)
        return both[..., :4] * 1.0, both[..., 4:] * 1.0


def quantized(plain: Path, path: Path) -> Path:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            from pocketdet.conventions import InputContract

            contract = InputContract(height=64, width=96)
            inputs = [
                contract.normalize(contract.fit(sample.image)[0][None]).numpy()
                for sample in pictures(4)
            ]
            self.rows = iter([{"images": given} for given in inputs])

        def get_next(self) -> Any:
            return next(self.rows, None)

    quantize_static(
        str(plain),
        str(path),
        Reader(),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return path
