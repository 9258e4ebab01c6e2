from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest

from pocketdet.conventions import ClassList, DecodeSettings, InputContract
from pocketdet.runtime import (
    BoxOutputs,
    Card,
    CellOutputs,
    DetectionRows,
    FileInput,
    FileOutputs,
    PriorOutputs,
    card_path,
    open_runner,
    read_card,
    write_card,
)
from pocketdet.runtime.card_data import card_to_data
from pocketdet.runtime.outputs import as_places

PLACES = as_places(np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
OUTPUTS: tuple[FileOutputs, ...] = (
    PriorOutputs(places_cxcywh=PLACES),
    CellOutputs(num_bins=4, places_cxcywh=PLACES),
    BoxOutputs(num_places=5),
    DetectionRows(),
)


def card_with(outputs: FileOutputs) -> Card:
    return Card(
        runtime="onnx",
        precision="fp16",
        input=FileInput(contract=InputContract(resize="letterbox"), dtype="float32", batch=2),
        outputs=outputs,
        classes=ClassList.of(["ant", "bee"]),
        detection=DecodeSettings(score_threshold=0.02, max_per_image=7),
        origin={"config": {"base": "PELEE"}},
        proof={"pictures": 3},
    )


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_a_card_survives_its_file(outputs: FileOutputs, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    card = card_with(outputs)
    assert write_card(card, model) == card_path(model) == tmp_path / "model.onnx.card.json"
    assert read_card(model) == card
    if isinstance(outputs, PriorOutputs | CellOutputs):
        again = read_card(model).outputs
        assert isinstance(again, PriorOutputs | CellOutputs)
        assert np.array_equal(
            np.array(again.places_cxcywh, np.float32), np.array(PLACES, np.float32)
        )


def spoilt(tmp_path: Path, path: tuple[str, ...], value: object) -> Path:
    data = card_to_data(card_with(OUTPUTS[0]))
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    model = tmp_path / "model.onnx"
    card_path(model).write_text(json.dumps(data))
    return model


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("version",), 2, "`version` of the card must be 1; got 2"),
        (("input", "channel_order"), "GBR", "`channel_order` must be one of BGR, RGB"),
        (("input", "mean"), [1, 2], "`input.mean` must have 3 numbers"),
        (("input", "dtype"), None, "`input` must have the field `dtype`"),
        (("input", "batch"), True, "`input.batch` must be"),
        (("input", "padding_rgb"), [0, 0, 0], "`input.padding_rgb` must be the mean"),
        (("outputs", "kind"), "boxxes", "`outputs.kind` must be one of priors"),
        (("outputs", "variances"), [0.1, 0.2], "`outputs.variances` must have 4 numbers"),
        (("outputs", "extra"), 1, "it has `extra`"),
        (("detection", "iou_threshold"), 3, "`iou_threshold` must be in"),
        (("classes",), ["a", "a"], "must be unique"),
        (("runtime",), "tensorrt", "`runtime` must be one of onnx"),
    ],
)
def test_a_spoilt_card_is_refused_by_the_field(
    tmp_path: Path, path: tuple[str, ...], value: object, sentence: str
) -> None:
    with pytest.raises(ValueError, match=r"model\.onnx\.card\.json is no card") as raised:
        read_card(spoilt(tmp_path, path, value))
    assert sentence in str(raised.value)


def test_what_is_no_card_or_no_file_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.xml"
    with pytest.raises(ValueError, match="there is no such file"):
        open_runner(model)
    model.write_text("")
    with pytest.raises(ValueError, match="has no card"):
        open_runner(model)
    card_path(model).write_text("{")
    with pytest.raises(ValueError, match="it is no JSON"):
        open_runner(model)
    with pytest.raises(ValueError, match=r"must end in one of \.onnx"):
        open_runner(tmp_path / "model.h5")


def test_a_card_of_another_runtime_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.xml"
    model.write_text("")
    write_card(card_with(OUTPUTS[0]), model)
    with pytest.raises(ValueError, match="is for onnx, and the file is openvino's"):
        open_runner(model)


@pytest.mark.parametrize(
    ("file", "runtime"), [("m.onnx", "onnx"), ("m.tflite", "litert"), ("m.pt2", "torch")]
)
def test_a_file_that_is_cut_short_is_refused_in_one_sentence(file, runtime, tmp_path) -> None:
    pytest.importorskip({"onnx": "onnxruntime", "litert": "ai_edge_litert"}.get(runtime, "torch"))
    (tmp_path / file).write_bytes(b"\x08\x0a\x12\x07pytorch" * 3)
    card = replace(card_with(OUTPUTS[0]), runtime=runtime)
    with pytest.raises(ValueError, match=rf"{file}` cannot be loaded by {runtime}: ") as raised:
        open_runner(tmp_path / file, card=card)
    assert "\n" not in str(raised.value)
