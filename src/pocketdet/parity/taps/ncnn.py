"""The results of an ncnn file: each of its blobs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.parity.taps.tap import Tap
from pocketdet.runtime.sessions.installed import need
from pocketdet.runtime.sessions.ncnn import INPUT

UNTOLD = frozenset({"Input", "Split", "MemoryData"})
"""Layers that compute nothing."""


def ncnn_taps(path: Path, inputs: NDArray[Any]) -> list[Tap]:
    """Run a .param file on the first of `inputs` and read every blob."""
    ncnn = need("ncnn", extra="ncnn", what="Comparing an ncnn file")
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.lightmode = False  # Otherwise blobs are gone when they have been read.
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise ValueError(f"{path} must be an ncnn network; ncnn refuses it.")
    extractor = net.create_extractor()
    extractor.set_light_mode(False)
    extractor.input(INPUT, ncnn.Mat(np.ascontiguousarray(inputs[0], np.float32)).clone())
    taps: list[Tap] = []
    for kind, name, blobs in _layers(path):
        for blob in blobs:
            code, found = extractor.extract(blob)
            value = np.array(found)[None] if not code else np.zeros(0)
            if value.size > 1:
                taps.append(Tap.of(name, kind, "", value))
    return taps


def _layers(path: Path) -> list[tuple[str, str, list[str]]]:
    """Read kind, name and the blobs that are made of each layer that computes."""
    found: list[tuple[str, str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines()[2:]:
        words = line.split()
        if len(words) < 4 or words[0] in UNTOLD:
            continue
        num_read, num_made = int(words[2]), int(words[3])
        found.append((words[0], words[1], words[4 + num_read : 4 + num_read + num_made]))
    return found
