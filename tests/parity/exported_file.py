"""A small detector written as an ONNX file with its card, without the export package."""

from dataclasses import replace
from pathlib import Path
import warnings

import numpy as np
import onnx
import torch
from torch import nn

from pocketdet.conventions import InputContract, Sample
from pocketdet.model import (
    Bilinear,
    Detector,
    DetectorConfig,
    PeleeHead,
    PriorLevel,
    TopDown,
    TwoWayDense,
    build,
)
from pocketdet.model.stem import PeleeStem
from pocketdet.parity.compare import compare
from pocketdet.parity.report import ParityReport
from pocketdet.parity.subject import RawNetwork, card_of, open_subject, subject_of
from pocketdet.runtime import Card, write_card

PRIORS = (
    PriorLevel(source=0, smallest=0.15, largest=0.4),
    PriorLevel(source=1, smallest=0.4, largest=0.9),
)
SMALL = DetectorConfig(
    input=InputContract(height=64, width=96),
    stem=PeleeStem(channels=8),
    stages=(
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1, stride=1),
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
        TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),
    ),
    levels_from=(1, 2),
    extras=(),
    head=PeleeHead(channels=16, priors=PRIORS),
)
WITH_NECK = replace(SMALL, neck=TopDown(channels=16, upsample=Bilinear()))


def lively(config: DetectorConfig = SMALL, *, seed: int = 0) -> Detector:
    """Build a detector whose norms are settled and whose boxes score differently."""
    torch.manual_seed(seed)
    detector = build(config, num_classes=3)
    with torch.no_grad():
        for _ in range(4):
            detector(torch.randn(4, 3, config.input.height, config.input.width))
        for module in detector.head.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(3 if module.weight.std() > 0.02 else 30)
    return detector.eval()


def pictures(count: int = 3, *, height: int = 80, width: int = 130) -> list[Sample]:
    """Draw smooth pictures without labels."""
    random = np.random.default_rng(0)
    samples: list[Sample] = []
    for number in range(count):
        small = torch.from_numpy(random.integers(0, 256, (1, 3, 10, 13)).astype(np.float32))
        large = nn.functional.interpolate(small, size=(height, width), mode="bilinear")
        samples.append(Sample.of(large[0].to(torch.uint8), [], [], image_id=str(number)))
    return samples


def file_card(detector: Detector) -> Card:
    card = card_of(detector)
    return replace(card, runtime="onnx", input=replace(card.input, batch=1))


def write_file(
    detector: Detector, path: Path, *, card: Card | None = None, network: nn.Module | None = None
) -> Path:
    """Write a detector's raw network, or another one in its place, with a card beside it."""
    card = card or file_card(detector)
    images = torch.zeros(1, 3, detector.contract.height, detector.contract.width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network or RawNetwork(detector),
            (images,),
            str(path),
            dynamo=False,
            opset_version=18,
            input_names=["images"],
            output_names=list(card.outputs.names),
        )
    write_card(card, path)
    return path


def parity(detector: Detector, path: Path, samples: list[Sample] | None = None) -> ParityReport:
    return compare(subject_of(detector), open_subject(path), samples or pictures())


def edit(path: Path, kind: str, change: object) -> int:
    """Change every node of a kind in a file by a callable; gives how many there were."""
    model = onnx.load(str(path))
    nodes = [node for node in model.graph.node if node.op_type == kind]
    for node in nodes:
        change(node)  # pyright: ignore
    onnx.save(model, str(path))
    return len(nodes)
