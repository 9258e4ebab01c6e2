"""ncnn, on the CPU: one picture at a time."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.runtime.card import Card
from pocketdet.runtime.runner import Arrays
from pocketdet.runtime.sessions.installed import need

INPUT = "in0"


def open_session(path: Path, card: Card, threads: int) -> "NcnnSession":
    """Load a .param file, with its .bin beside it."""
    ncnn = need("ncnn", extra="ncnn", what="Running an ncnn file")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    if card.precision == "fp32":
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
    weights = path.with_suffix(".bin")
    if net.load_param(str(path)) or net.load_model(str(weights)):
        raise ValueError(f"{path} and {weights.name} must be an ncnn network; ncnn refuses them.")
    return NcnnSession(ncnn, net, card)


class NcnnSession:
    """Blobs are called in0, out0, out1, …; the card's outputs are in the same order."""

    def __init__(self, ncnn: Any, net: Any, card: Card) -> None:
        self._ncnn: Any = ncnn
        self._net: Any = net
        self._shapes = card.outputs.shapes(len(card.classes))

    def run(self, inputs: NDArray[Any], /) -> Arrays:
        (picture,) = inputs
        extractor = self._net.create_extractor()
        # A Mat does not keep the array alive that it was made from; its copy owns its memory.
        extractor.input(INPUT, self._ncnn.Mat(picture).clone())
        results: Arrays = {}
        for place, (name, shape) in enumerate(self._shapes.items()):
            code, found = extractor.extract(f"out{place}")
            if code:
                raise ValueError(f"ncnn could not compute `{name}` (code {code}).")
            results[name] = np.array(found).reshape(1, *shape)
        return results

    def close(self) -> None:
        self._net = None
