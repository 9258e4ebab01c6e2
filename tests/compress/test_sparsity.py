"""Zeros: as many as asked for, in their pattern, held while training, not written to the file."""

from compress_data import tiny_detector, write_squares
import pytest
import torch

from pocketdet.compress import CompressionRequest, FineTuning, run_compression
from pocketdet.compress.result_folder import save_detector
from pocketdet.compress.sparsify import Sparsify
from pocketdet.compress.sparsity import candidates, lesser, mask_of
from pocketdet.model import Detector
from pocketdet.model.saved_detector import compact_data, detector_from_data, detector_to_data


def test_the_schedule_is_the_cubic_of_the_paper():
    step = Sparsify(share=0.8, begin=0.2, end=0.7)
    assert step.share_at(0.1) == 0
    assert step.share_at(0.45) == pytest.approx(0.8 * (1 - 0.5**3))
    assert step.share_at(0.9) == pytest.approx(0.8)


def test_two_of_four_keeps_the_two_larger_of_each_four_inputs():
    weight = torch.randn(6, 8, 3, 3)
    own = candidates(weight, "2:4", 1)
    masked = weight * mask_of(weight, own, lesser([own.scores], 1.0, together=False)[0])
    fours = masked.movedim(1, -1).reshape(-1, 4)
    assert bool(((fours != 0).sum(dim=1) == 2).all())
    whole = weight.movedim(1, -1).reshape(-1, 4).abs()
    assert torch.equal(fours.abs().sum(dim=1), whole.topk(2, dim=1).values.sum(dim=1))


def test_blocks_are_of_outputs_at_one_place():
    weight = torch.randn(8, 5, 3, 3)
    own = candidates(weight, "block", 4)
    masked = weight * mask_of(weight, own, lesser([own.scores], 0.5, together=False)[0])
    together = (masked != 0).reshape(2, 4, -1).sum(dim=1)
    assert set(together.unique().tolist()) == {0, 4}


def run(tmp_path, step):
    save_detector(tmp_path / "detector.pt", tiny_detector())
    return run_compression(
        CompressionRequest(
            run=tmp_path / "detector.pt",
            steps=(step,),
            data=str(write_squares(tmp_path)),
            out=tmp_path,
            name="sparse",
            runtime="eager",
        )
    )


@pytest.mark.parametrize(
    "step",
    [
        Sparsify(share=0.9, fine_tune=FineTuning(epochs=3.0)),
        Sparsify(share=0.9, ranking="global", fine_tune=FineTuning(epochs=3.0)),
        Sparsify(share=0.5, pattern="2:4", fine_tune=FineTuning(epochs=1.0)),
        Sparsify(share=0.75, pattern="block", fine_tune=FineTuning(epochs=0)),
    ],
)
def test_zeros_are_held_to_the_end_and_the_file_shrinks(tmp_path, step):
    report = run(tmp_path, step)
    said = report.steps[0].said
    assert said["figures"]["zeros"] == pytest.approx(step.final_share, abs=0.01)
    loaded = dict(Detector.load(tmp_path / "sparse").named_parameters())
    for row in said["rows"]:
        zeros = float((loaded[row["tensor"]] == 0).float().mean())
        assert zeros == pytest.approx(row["zeros"])
        if step.ranking == "layer":
            assert zeros == pytest.approx(step.final_share, abs=0.02)
    before, after = report.start.file_bytes, report.steps[0].figures.file_bytes
    assert after == (tmp_path / "sparse" / "1-sparsify.pt").stat().st_size < before


def test_a_checkpoint_without_zeros_is_read_back_exactly():
    detector = tiny_detector()
    for parameter in detector.parameters():
        parameter.data[torch.rand_like(parameter) < 0.6] = 0
    data = compact_data(detector)
    assert len(data["weights"]) < len(detector.state_dict())
    loaded = detector_from_data(data).state_dict()
    for name, tensor in detector_to_data(detector)["weights"].items():
        assert torch.equal(loaded[name], tensor)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`share` of the pattern 2:4"):
        Sparsify(share=0.9, pattern="2:4")
    with pytest.raises(ValueError, match="in this order"):
        Sparsify(begin=0.7, end=0.5)
