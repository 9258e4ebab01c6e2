"""Exported files: what their graph and runs show."""

from pathlib import Path

from post_network import PostNetwork
import pytest
import torch
from torch import Tensor, nn

from pocketdet.doctor.onnx_file import examine_onnx

pytest.importorskip("onnxruntime")


def exported(model: nn.Module, path: Path, *, batch: str | None = "batch") -> Path:
    axes = {"images": {0: batch}} if batch else None
    torch.onnx.export(
        model.eval(),
        (torch.rand(2, 3, 32, 32),),
        str(path),
        dynamo=False,
        input_names=["images"],
        output_names=["rows"],
        dynamic_axes=axes,
    )
    return path


pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("softmax_over_channels", "over_everything", "expected"),
    [
        (True, True, ["batch-mixing", "softmax-over-one"]),
        (True, False, ["softmax-over-one"]),
        (False, True, ["batch-mixing"]),
        (False, False, []),  # the cancelled gate shows in the network only
    ],
)
def test_the_story_is_told_by_the_file_too(
    tmp_path: Path, *, softmax_over_channels: bool, over_everything: bool, expected: list[str]
) -> None:
    model = PostNetwork(
        softmax_over_channels=softmax_over_channels, over_everything=over_everything
    )
    report = examine_onnx(exported(model, tmp_path / "net.onnx"))
    assert sorted(finding.check for finding in report.findings) == expected
    assert all(result.outcome != "crashed" for result in report.results)


def test_a_file_for_one_sample_does_not_pass_as_unmixed(tmp_path: Path) -> None:
    class One(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images / images.norm()

    path = tmp_path / "one.onnx"
    torch.onnx.export(One(), (torch.rand(1, 3, 8, 8),), str(path), dynamo=False)
    results = {result.check.id: result for result in examine_onnx(path).results}
    assert results["batch-mixing"].outcome == "not run"
    assert "one sample" in results["batch-mixing"].reason


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ValueError, match="is no valid ONNX file"):
        examine_onnx(path)
