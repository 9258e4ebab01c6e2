"""Learning from a teacher: the same head, another head, features, and what must match."""

from dataclasses import replace
from pathlib import Path

from compress_data import tiny_detector
import pytest
from small_bench import tiny_bench
from tiny_training import TINY
import torch

from pocketdet.compress.distill.criterion import DistillWeights, load_teacher, taught_by
from pocketdet.compress.distill.distill import Distill
from pocketdet.compress.distill.pseudo_boxes import with_detections
from pocketdet.compress.distill.terms import divergence, feature_term, output_terms
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.quantize import Quantize
from pocketdet.conventions import ClassList, Detections
from pocketdet.data.loading.batch import Batch
from pocketdet.model import Detector, DetectorConfig, GFLHead, SSDLiteHead, build
from pocketdet.model.saved_detector import detector_to_data

GFL = replace(TINY, head=GFLHead(channels=16))
SHARED = replace(TINY, head=SSDLiteHead(channels=16, priors=TINY.head.priors))


def batch() -> Batch:
    return Batch(
        images=torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8),
        packed_boxes_xyxy=torch.tensor([[5.0, 5, 30, 30], [20, 20, 50, 60]]),
        packed_labels=torch.tensor([0, 1]),
        counts=(1, 1),
        image_ids=["0", "1"],
        indices=[0, 1],
        placements=[],
    )


def saved(detector: Detector, folder: Path) -> str:
    torch.save(detector_to_data(detector), folder / "teacher.pt")
    return str(folder / "teacher.pt")


@pytest.mark.parametrize("config", [TINY, GFL], ids=["priors", "points"])
def test_nothing_is_lost_against_oneself(config: DetectorConfig) -> None:
    outputs = tiny_detector(config)(torch.randn(2, 3, 64, 64))
    classes, boxes = output_terms(outputs, outputs, temperature=2.0)
    if config is TINY:
        assert torch.allclose(classes, torch.zeros(2), atol=1e-4)
    assert torch.allclose(boxes, torch.zeros(2), atol=1e-4)


def test_divergence_is_positive_and_its_gradient_points_to_the_teacher() -> None:
    student = torch.zeros(4, requires_grad=True)
    teacher = torch.tensor([2.0, 0, 0, 0])
    loss = divergence(student, teacher, 2.0)
    loss.backward()
    assert float(loss.detach()) > 0
    assert student.grad is not None
    assert student.grad.argmin() == 0


def test_features_are_compared_by_where_they_are_high_not_how_high() -> None:
    maps = torch.randn(2, 8, 6, 6)
    assert float(feature_term(maps, 7 * maps + 3).max()) < 1e-4
    assert float(feature_term(maps, torch.randn(2, 8, 6, 6)).min()) > 0.5
    assert feature_term(maps, torch.randn(2, 8, 3, 3)).shape == (2,)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [(TINY, SHARED), (GFL, GFL), (TINY, GFL)],
    ids=["same rows", "points", "priors from points"],
)
def test_any_teacher_teaches_any_student(student: DetectorConfig, teacher: DetectorConfig) -> None:
    pupil, master = tiny_detector(student).train(), tiny_detector(teacher)
    torch.nn.init.normal_(master.stem.stem1[0].weight)
    master.requires_grad_(False)
    weights = DistillWeights(features=1.0)
    with taught_by(master, weights) as teaching:
        criterion = teaching.criterion(pupil)
        targets = criterion.targets(batch())
        terms = criterion(pupil(pupil.preprocess(batch().images)), targets)
    assert set(terms.named()) == {"classification", "localization", "distillation"}
    assert float(terms.detach().named()["distillation"].sum()) > 0
    terms.total().backward()
    assert pupil.stem.stem1[0].weight.grad is not None
    assert all(parameter.grad is None for parameter in master.parameters())
    assert not master.training


def test_nobody_is_watched_after_the_training(tmp_path: Path) -> None:
    bench = tiny_bench(tmp_path)
    length = FineTuning(epochs=1, ema_decay=None, teacher=saved(tiny_detector(), tmp_path))
    trained = bench.fine_tune(tiny_detector(), length, name="taught")
    assert not trained.head._forward_pre_hooks


def test_only_new_detections_become_boxes() -> None:
    found = Detections(
        boxes_xyxy=torch.tensor([[6.0, 5, 30, 30], [40, 40, 60, 60]]),
        scores=torch.tensor([0.9, 0.8]),
        labels=torch.tensor([0, 1]),
    )
    more = with_detections(batch(), [found, Detections.empty()])
    assert more.counts == (2, 1)
    assert more.boxes_xyxy[0][1].tolist() == [40, 40, 60, 60]
    assert more.labels[0].tolist() == [0, 1]


def test_other_classes_are_refused_in_one_sentence(tmp_path: Path) -> None:
    other = build(TINY, classes=ClassList.of(["dark", "bright"]))
    with pytest.raises(ValueError, match=r"same order, bright, dark; .* has dark, bright"):
        load_teacher(saved(other, tmp_path), tiny_detector())


def test_a_student_comes_nearer_to_its_teacher(tmp_path: Path) -> None:
    bench = tiny_bench(tmp_path)
    torch.manual_seed(5)
    teacher = build(TINY, classes=ClassList.of(["bright", "dark"])).eval()
    student = tiny_detector()
    images = torch.randn(4, 3, 64, 64)

    def distance(detector: Detector) -> float:
        with torch.no_grad():
            return float(
                divergence(detector(images).class_logits, teacher(images).class_logits, 1.0).mean()
            )

    weights = DistillWeights(classes=50.0)
    step = Distill(teacher=saved(teacher, tmp_path), epochs=4, weights=weights)
    trained = step.apply(student, bench).detector
    assert distance(trained) < distance(student)


@pytest.mark.slow
def test_quantisation_trains_with_a_teacher(tmp_path: Path) -> None:
    bench = tiny_bench(tmp_path)
    detector = tiny_detector()
    step = Quantize(images=4, lose=None, epochs=1, teacher=saved(detector, tmp_path))
    assert step.apply(detector, bench).detector.bits.weights


def test_any_fine_tuning_may_have_a_teacher(tmp_path: Path) -> None:
    bench = tiny_bench(tmp_path)
    student, other = tiny_detector(), tiny_detector()
    torch.nn.init.normal_(other.head.class_convs[0].weight)
    alone = bench.fine_tune(student, FineTuning(epochs=1), name="alone")
    length = FineTuning(epochs=1, teacher=saved(other, tmp_path))
    taught = bench.fine_tune(student, length, name="taught")
    before, after = alone.state_dict(), taught.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
