"""The table of a compression fits a narrow terminal, and plans are shown beside what they gave."""

import pytest

from pocketdet.cli.compression_text import show_compression
from pocketdet.compress.figures import Figures
from pocketdet.compress.latency import Latency
from pocketdet.compress.report import CompressionReport, StepReport


def figures(milliseconds: float) -> Figures:
    latency = Latency(
        runtime="onnxruntime",
        threads=1,
        median=milliseconds,
        p10=0.8 * milliseconds,
        least=0.7 * milliseconds,
        p90=2 * milliseconds,
        runs=30,
    )
    return Figures(
        ap=0.7238, ap50=0.967, parameters=1_039_264, macs=245_900_000, file_bytes=4_430_000,
        latency=latency,
    )  # fmt: skip


def test_nothing_is_cut_off_at_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = {"plan": "prune to 61% of the MACs, quantise", "predicted ap": 0.5, "measured ap": 0.52}
    said = {"figures": {}, "rows": [row], "given_up": []}
    step = StepReport(name="1-quantize", said=said, figures=figures(125.0))
    report = CompressionReport(
        folder="compressed/a", asked={}, start=figures(33.456), steps=(step,)
    )
    show_compression(report)
    text = capsys.readouterr().out
    assert "…" not in text
    assert "26.8–66.9" in text
    assert "0.27×" in text
    assert "predicted ap" in text
    assert "0.52" in text
