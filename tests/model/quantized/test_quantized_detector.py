"""What is evaluated on the grids is what is saved, loaded and exported."""

from dataclasses import replace
import io
from pathlib import Path
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_training import TINY, TINY_POINTS, TINY_SHARED
import torch
from torch import Tensor, nn

from pocketdet.model import (
    CBAM,
    PAN,
    SE,
    Bilinear,
    DetectorConfig,
    GhostConv,
    L2Norm,
    NonLocal,
    RandWire,
    RepVGG,
    SiLU,
    TopDown,
    TransposedConv,
    WattsStrogatz,
    build,
)
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.quantized import QuantizedDetector, WeightCode, quantized
from pocketdet.model.quantized.onnx_form import onnx_form
from pocketdet.model.quantized.packing import pack, packed_size, unpack
from pocketdet.model.saved_detector import detector_from_data, detector_to_data

ALTERED: dict[str, DetectorConfig] = {
    "pelee": TINY,
    "gfl": TINY_POINTS,
    "ssdlite": TINY_SHARED,
    "cbam and pyramid": replace(
        TINY, attention=CBAM(), neck=TopDown(channels=16, upsample=Bilinear())
    ),
    "se, pan, bilinear": replace(TINY, attention=SE(), neck=PAN(channels=16, upsample=Bilinear())),
    "ghost": replace(TINY, conv=GhostConv()),
    "l2norm": replace(TINY, norm=L2Norm()),
    "transposed and silu": replace(
        TINY, activation=SiLU(), neck=TopDown(channels=16, upsample=TransposedConv())
    ),
    "non-local": replace(TINY, attention=NonLocal()),
    "randwire and repvgg": replace(
        TINY,
        stages=(
            RandWire(channels=8, graph=WattsStrogatz(num_nodes=6)),
            RepVGG(channels=16, num_layers=2),
        ),
    ),
}


def settled(config: DetectorConfig = TINY) -> tuple[nn.Module, Tensor]:
    """A detector whose norms have seen pictures, so that its maps are of usual size."""
    torch.manual_seed(0)
    detector = build(config, num_classes=2).train()
    images = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        for _ in range(60):
            detector(images)
    return detector.eval(), images


def calibrated(
    config: DetectorConfig = TINY, **choices: object
) -> tuple[QuantizedDetector, nn.Module, Tensor]:
    detector, images = settled(config)
    held = quantized(detector, **choices).eval()
    ranges: dict[str, tuple[float, float]] = {}

    def look(name: str, value: Tensor) -> None:
        low, high = ranges.get(name, (0.0, 0.0))
        ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))

    with torch.no_grad(), held.in_float(look):
        held(images)
    for name, (low, high) in ranges.items():
        held.activation_grid(name).cover(low, high)
    return held, detector, images


def signal_to_noise(found: Tensor, true: Tensor) -> float:
    return float(10 * torch.log10(true.square().mean() / (found - true).square().mean()))


@pytest.mark.parametrize("name", ALTERED)
def test_every_detector_computes_on_grids_nearly_what_it_did(name: str) -> None:
    held, detector, images = calibrated(ALTERED[name])
    with torch.no_grad():
        true, found = detector(images), held(images)
        with held.in_float():
            again = held(images)
    for one, other, plain in zip(found[:2], true[:2], again[:2], strict=True):
        assert torch.allclose(plain, other, atol=1e-4, rtol=1e-3)
        assert signal_to_noise(one, other) > 15
        assert not torch.equal(one, other)


def test_all_convolutions_have_grids_on_both_sides() -> None:
    held, _, _ = calibrated()
    plan = held.plan_for((64, 64))
    kernels = [p for p in plan.placements if p.kind == "conv"]
    assert len(kernels) > 20
    assert all(p.input_grid is not None and p.weights is not None for p in kernels)


def test_scores_and_boxes_of_no_level_share_a_grid() -> None:
    held, _, _ = calibrated()
    predicting = [p for p in held.plan_for((64, 64)).placements if "_convs" in p.name]
    grids = [p.grid for p in predicting]
    assert len(grids) == 6
    assert None not in grids
    assert len(set(grids)) == 6
    joined = [p for p in held.plan_for((64, 64)).placements if p.name.startswith("head.cat")]
    assert [p.grid for p in joined] == [None, None]


class _BothAtOnce(nn.Module):
    """One convolution that predicts scores and boxes."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.places = head.places
        self.convs = nn.ModuleList(nn.Conv2d(c, 7 * 4, 1) for c in CHANNELS)

    def forward(self, levels: list[Tensor], input_size: tuple[int, int]) -> tuple[Tensor, ...]:
        rows = torch.cat(
            [
                conv(x).permute(0, 2, 3, 1).reshape(len(x), -1, 7)
                for conv, x in zip(self.convs, levels, strict=True)
            ],
            dim=1,
        )
        return rows[..., :3], rows[..., 3:], self.places(levels, input_size)


CHANNELS = (16, 24, 16)


def test_a_convolution_that_predicts_both_keeps_its_output_in_float() -> None:
    detector = build(TINY, num_classes=2).eval()
    levels = detector.levels(torch.zeros(1, 3, 64, 64))
    global CHANNELS
    CHANNELS = tuple(level.shape[1] for level in levels)
    detector.head = _BothAtOnce(detector.head)
    held = quantized(detector)
    both = [p for p in held.plan_for((64, 64)).placements if p.name.startswith("head.convs")]
    assert [p.grid for p in both] == [None] * 3
    assert all(p.weights is not None for p in both)


def test_other_input_sizes_are_found_by_themselves() -> None:
    held, detector, _ = calibrated()
    images = torch.randn(1, 3, 71, 96)
    with torch.no_grad():
        assert signal_to_noise(held(images)[0], detector(images)[0]) > 10


@pytest.mark.parametrize("bits", range(2, 9))
def test_packing_is_exact_and_dense(bits: int) -> None:
    numbers = torch.randint(0, 2**bits, (1001,)).to(torch.uint8)
    data = pack(numbers, bits=bits)
    assert len(data) == packed_size(1001, bits=bits) == -(-1001 * bits // 8)
    assert torch.equal(unpack(data, 1001, bits=bits), numbers)


@pytest.mark.parametrize(
    "code",
    [WeightCode(bits=8), WeightCode(bits=3), WeightCode(bits=4, codebook=True),
     WeightCode(bits=2, codebook=True, groups=2)],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_is_as_small_as_its_bits_and_loads_exactly(
    code: WeightCode, tmp_path: Path
) -> None:
    held, _, images = calibrated(code=code)
    torch.save(detector_to_data(held), tmp_path / "held.pt")
    torch.save(detector_to_data(fold_batch_norm(held)), tmp_path / "again.pt")
    data = torch.load(tmp_path / "held.pt", weights_only=True)
    loaded = detector_from_data(data).eval()
    with torch.no_grad():
        for one, other in zip(loaded(images)[:2], held(images)[:2], strict=True):
            assert torch.equal(one, other)
    weights = sum(m.weight.numel() for m in held.modules() if isinstance(m, nn.Conv2d))
    others = sum(t.numel() * 4 for n, t in held.state_dict().items() if "scale" in n or "bias" in n
                 or "centroids" in n or "zero" in n)  # fmt: skip
    assert len(data["weights"]["packed"]) <= weights * code.bits / 8 + others + 200


def test_damaged_weights_are_refused() -> None:
    held, _, _ = calibrated()
    data = detector_to_data(held)
    data["weights"]["packed"] = data["weights"]["packed"][:-1]
    with pytest.raises(ValueError, match="not as long as"):
        detector_from_data(data)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`stem\.nothing` is no convolution"):
        quantized(build(TINY, num_classes=2), floats={"stem.nothing"})


def test_gradients_reach_weights_and_scales() -> None:
    held, _, images = calibrated()
    outputs = held.train()(images)
    (outputs[0].square().sum() + outputs[1].square().sum()).backward()
    silent = [name for name, p in held.named_parameters() if p.grad is None]
    assert silent == []


class RawTensors(nn.Module):
    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.detector(images)
        return outputs[0], outputs[1]


def test_the_form_for_export_computes_the_same() -> None:
    held, _, images = calibrated(code=WeightCode(bits=7))
    with torch.no_grad():
        for one, other in zip(onnx_form(held)(images)[:2], held(images)[:2], strict=True):
            assert signal_to_noise(one, other) > 60


def written(held: QuantizedDetector, images: Tensor, *, dynamo: bool) -> bytes:
    network = RawTensors(onnx_form(held))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if dynamo:
            program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
            return program.model_proto.SerializeToString()
        file = io.BytesIO()
        torch.onnx.export(network, (images,), file, dynamo=False, opset_version=18)
        return file.getvalue()


@pytest.mark.parametrize("dynamo", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_exported_file_computes_the_same_with_integer_kernels(
    *, dynamo: bool, tmp_path: Path
) -> None:
    held, _, images = calibrated(code=WeightCode(bits=7))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    session = onnxruntime.InferenceSession(
        written(held, images, dynamo=dynamo), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        true = held(images)
    for one, other in zip(found, true, strict=False):
        # A sum that lies on the edge between two integers may fall on either side.
        assert signal_to_noise(torch.from_numpy(np.asarray(one)), other) > 30
    kinds = [node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node]
    convolutions = sum(p.kind == "conv" for p in held.plan_for((64, 64)).placements)
    assert kinds.count("QLinearConv") == convolutions
    assert not {"Conv", "FusedConv"} & set(kinds)
    assert kinds.count("QLinearConcat") >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gfl", "cbam and pyramid", "l2norm", "transposed and silu"])
def test_altered_detectors_are_exported_too(name: str) -> None:
    held, _, images = calibrated(ALTERED[name], code=WeightCode(bits=7))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        written(held, images, dynamo=False), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        true = held(images)
    for one, other in zip(found, true, strict=False):
        assert signal_to_noise(torch.from_numpy(np.asarray(one)), other) > 20
