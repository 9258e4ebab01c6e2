from data_report import result_of
from inline_snapshot import snapshot
from small_pipeline import SOUND, priors_xyxy

CHECK = "ill-fitting-prior"


def test_priors_that_fit_are_clear() -> None:
    assert result_of(CHECK, SOUND).outcome == "clear"


def test_priors_of_another_image_size_are_a_warning() -> None:
    (finding,) = result_of(CHECK, SOUND, boxes=priors_xyxy() * 4).findings
    assert finding.severity == "warning"
    assert finding.evidence == snapshot(
        "100% of 24 objects have no prior that overlaps by half: 22 of 22 .1 to .3, 2 of 2 above .3 (shares of the image's side); the median of the best overlaps is 0.13."
    )


def test_cells_are_no_priors() -> None:
    assert result_of(CHECK, SOUND, boxes=priors_xyxy()[::3]).outcome == "not run"
