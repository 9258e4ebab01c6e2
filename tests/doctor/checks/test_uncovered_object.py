from data_report import findings_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, altered, encode
from torch import Tensor

from pocketdet.doctor import DetectionPipeline

CHECK = "uncovered-object"


def wider_than(least: float) -> DetectionPipeline:
    def some(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        wide = boxes[:, 2] - boxes[:, 0] > least
        return encode(boxes[wide], labels[wide])

    return altered(encode=some)


def test_objects_that_all_have_a_target_are_clear() -> None:
    assert findings_of(CHECK, SOUND) == []


@pytest.mark.parametrize(("least", "severity"), [(24.0, "warning"), (32.0, "error")])
def test_objects_without_a_target_are_told(least: float, severity: str) -> None:
    (finding,) = findings_of(CHECK, wider_than(least))
    assert finding.severity == severity


def test_reads_well() -> None:
    assert findings_of(CHECK, wider_than(24))[0].evidence == snapshot(
        "`encode` makes no target of 38% of 24 objects: 9 of 22 medium ones, 0 of 2 large ones."
    )
