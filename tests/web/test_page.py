"""The page in a real browser finds what `pocketdet predict` finds."""

from functools import partial
from http.server import ThreadingHTTPServer
import json
from pathlib import Path
from queue import Queue
import re
import shutil
import subprocess
from threading import Thread
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest
import torch

from pocketdet.conventions import ClassList, InputContract
from pocketdet.export import ExportSettings, export_detector
from pocketdet.export.pictures import made_up_pictures
from pocketdet.model import DetectorConfig, DistanceCoder, GFLHead, PeleeStem, TwoWayDense, build
from pocketdet.model.head import PeleeHead
from pocketdet.model.priors import prior_ladder
from pocketdet.runtime import open_runner
from pocketdet.web.onnx_web import unpack
from pocketdet.web.server import PageHandler
from pocketdet.web.site import write_site

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WAYS: list[dict[str, Any]] = [
    {},
    {"nms": "inside"},
    {"decode": "inside"},
    {"normalization": "outside"},
]


PRIORS = PeleeHead(channels=16, priors=prior_ladder((0,), (0.3, 0.5)))
CELLS = GFLHead(channels=16, box_coder=DistanceCoder(num_bins=5), initial_score=0.4)


def small_detector(head: Any) -> Any:
    """Make an untrained detector that finds something everywhere."""
    config = DetectorConfig(
        input=InputContract(height=64, width=64, resize="letterbox"),
        stem=PeleeStem(channels=8),
        stages=(TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),),
        levels_from=(0,),
        extras=(),
        head=head,
    )
    torch.manual_seed(0)
    detector = build(config, classes=ClassList.of(["ant", "bee"]))
    for parameter in detector.head.parameters():
        if parameter.ndim == 4:
            torch.nn.init.normal_(parameter, std=0.1)
    return detector.eval()


def picture() -> NDArray[np.uint8]:
    smooth = made_up_pictures(InputContract(height=90, width=131), count=1)
    return smooth[0]


WATCHER = """<iframe id="page" src="index.html?picture=picture.png"></iframe><script>
setInterval(() => {
  const inside = document.getElementById("page").contentDocument;
  if (!inside || !inside.body || !inside.body.dataset.ready) return;
  const found = inside.getElementById("found").textContent;
  fetch("found", { method: "POST", body: found || inside.getElementById("status").textContent });
}, 100);
</script>"""


class Listener(PageHandler):
    """Serves the site, and hears what the page found."""

    heard: Queue[str] = Queue()

    def do_POST(self) -> None:
        self.heard.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()


def found_by_page(site: Path) -> list[dict[str, Any]]:
    """Open the page in headless Chromium, which may use no other host, and hear what it found."""
    assert CHROMIUM is not None
    (site / "watcher.html").write_text(WATCHER)
    Listener.heard = Queue()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Listener, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--remote-debugging-port=0", f"--user-data-dir={site.parent / 'profile'}",
                f"http://127.0.0.1:{server.server_port}/watcher.html",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            text = Listener.heard.get(timeout=90)
        finally:
            browser.terminate()
            browser.wait(timeout=20)
            server.shutdown()
    assert text.startswith("["), text
    return json.loads(text)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
@pytest.mark.parametrize("head", [PRIORS, CELLS], ids=["priors", "cells"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way) or "raw")
def test_the_page_finds_what_predict_finds(way: dict[str, Any], head: Any, tmp_path: Path) -> None:
    detector = small_detector(head)
    model = export_detector(detector, tmp_path / "model.onnx", ExportSettings(**way)).file
    site = tmp_path / "site"
    write_site(model, site)
    cv2.imwrite(str(site / "picture.png"), cv2.cvtColor(picture(), cv2.COLOR_RGB2BGR))
    found = found_by_page(site)
    with open_runner(model) as runner:
        expected = runner.predict([picture()], score=0.3)[0]
    assert len(expected) > 3
    same_detections(found, expected, detector.classes)


def same_detections(found: list[dict[str, Any]], expected: Any, classes: ClassList) -> None:
    """Pixels are resized to within a step of 255, so scores at the threshold may fall either way."""
    sure = expected.above(0.32)
    boxes = np.array([entry["box"] for entry in found]).reshape(-1, 4)
    scores = np.array([entry["score"] for entry in found])
    labels = np.array([classes.label_of(entry["name"]) for entry in found])
    assert abs(len(found) - len(expected)) <= max(2, 0.05 * len(expected))
    missing = 0
    for box, score, label in zip(sure.boxes_xyxy, sure.scores, sure.labels, strict=True):
        near = (np.abs(boxes - box).max(axis=1) < 1) & (np.abs(scores - score) < 0.02)
        missing += not (near & (labels == label)).any()
    assert missing <= 0.03 * len(sure)


def test_a_page_is_not_made_of_what_it_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"The page runs \.onnx files"):
        write_site(tmp_path / "model.xml", tmp_path / "site")
    with pytest.raises(ValueError, match="there is no such file"):
        write_site(tmp_path / "model.onnx", tmp_path / "site")


def test_another_archive_than_the_published_one_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "onnxruntime-web-1.30.0.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(ValueError, match="must have the SHA-512"):
        unpack(archive, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    page = Path(__file__).parents[2] / "src" / "pocketdet" / "web" / "page"
    for file in page.iterdir():
        assert "//" not in re.sub(r"(?m)^\s*//.*$|/\*\*.*", "", file.read_text()), file
