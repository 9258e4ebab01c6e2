import json
from pathlib import Path

import cv2
from exported_file import lively, pictures, write_file
import numpy as np
import onnx
import torch
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.model.saved_detector import detector_to_data
from pocketdet.runtime import card_path


def write_voc(folder: Path) -> Path:
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for sample in pictures(2):
        image = sample.image.permute(1, 2, 0).numpy()
        cv2.imwrite(
            str(folder / f"JPEGImages/{sample.image_id}.jpg"),
            np.ascontiguousarray(image[..., ::-1]),
        )
        (folder / f"Annotations/{sample.image_id}.xml").write_text(
            f"<annotation><filename>{sample.image_id}.jpg</filename><size><width>130</width>"
            "<height>80</height><depth>3</depth></size><object><name>class1</name><bndbox>"
            "<xmin>10</xmin><ymin>10</ymin><xmax>60</xmax><ymax>50</ymax></bndbox></object>"
            "</annotation>"
        )
    (folder / "ImageSets/Main/val.txt").write_text("0\n1\n")
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["parity", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_says_same_and_differs_by_its_exit_code(tmp_path: Path) -> None:
    detector = lively()
    torch.save(detector_to_data(detector), tmp_path / "a.pt")
    file = write_file(detector, tmp_path / "a.onnx")
    data = write_voc(tmp_path / "data")
    code, said = run(tmp_path / "a.pt", file, "--data", data)
    assert (code, said.splitlines()[0][:18]) == (0, "the same detector:")

    card = json.loads(card_path(file).read_text())
    card["input"]["channel_order"] = "RGB"
    card["input"]["padding_rgb"] = card["input"]["padding_rgb"][::-1]
    card_path(file).write_text(json.dumps(card))
    code, said = run(tmp_path / "a.pt", file, "--data", data, "--json")
    report = json.loads(said)
    assert code == 1
    assert report["verdict"].startswith("differs: `channel_order` is BGR in A and RGB in B")
    assert report["cards"][0]["field"] == "channel_order"


def test_a_file_without_a_card_is_compared_as_if_it_were_fed_like_the_other(
    tmp_path: Path,
) -> None:
    detector = lively()
    torch.save(detector_to_data(detector), tmp_path / "a.pt")
    file = write_file(detector, tmp_path / "a.onnx")
    card_path(file).unlink()
    data = write_voc(tmp_path / "data")
    code, said = run(tmp_path / "a.pt", file, "--data", data)
    assert code == 0, said
    assert "B has no card" in said

    model = onnx.load(str(file))
    del model.graph.output[1]
    onnx.save(model, str(file))
    result = CliRunner().invoke(
        app, ["parity", str(tmp_path / "a.pt"), str(file), "--data", str(data)]
    )
    assert isinstance(result.exception, ValueError)
    assert "none of its outputs" in str(result.exception)
