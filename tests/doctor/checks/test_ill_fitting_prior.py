from data_report import result_of
from inline_snapshot import snapshot
from small_pipeline import SOUND, priors_xyxy
import torch

CHECK = "ill-fitting-prior"


def test_priors_that_fit_are_clear() -> None:
    assert result_of(CHECK, SOUND).outcome == "clear"


def test_priors_of_another_image_size_are_a_warning() -> None:
    (finding,) = result_of(CHECK, SOUND, boxes=priors_xyxy() * 4).findings
    assert finding.severity == "warning"
    assert finding.evidence == snapshot(
        "100% of 24 objects have no prior that overlaps by half: 22 of 22 .1 to .3, 2 of 2 above .3 (shares of the image's side); the median of the best overlaps is 0.13."
    )


def test_priors_that_are_one_box_three_times_are_a_warning() -> None:
    (finding,) = result_of(CHECK, SOUND, boxes=priors_xyxy()[1::3].repeat_interleave(3, 0)).findings
    assert finding.severity == "warning"
    assert finding.evidence == snapshot(
        "67% of 432 rows claim a box that an earlier row claims: 3 priors are one box of 28×28 px at (4, 4)."
    )


def test_two_predictors_of_one_cell_are_no_priors() -> None:
    middle = (priors_xyxy()[::3, :2] + priors_xyxy()[::3, 2:]) / 2
    cells = torch.cat([middle - 4, middle + 4], 1).repeat_interleave(2, 0)
    assert result_of(CHECK, SOUND, boxes=cells).outcome == "not run"


def test_cells_are_no_priors() -> None:
    assert result_of(CHECK, SOUND, boxes=priors_xyxy()[::3]).outcome == "not run"
