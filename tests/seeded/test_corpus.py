"""The corpus is what it says it is: programs run, twins are right, faults make a difference."""

from collections import Counter
import math
from pathlib import Path

import pytest
import torch

from seeded import programs, right  # noqa: F401  (they fill the lists)
from seeded.program import LOOK_ALIKES, PROGRAMS, LookAlike, Patient, Program, built, marked_lines

SINGLE = [p for p in PROGRAMS if len(p.faults) == 1]
BESIDE_THE_MODEL = ("training_loss", "optimizer", "pipeline", "row_boxes")


def _copied(inputs):
    return {k: v.clone() for k, v in inputs.items()} if isinstance(inputs, dict) else inputs.clone()


def _loss(patient: Patient) -> float:
    assert patient.training_loss
    torch.manual_seed(1)
    with torch.no_grad():
        return float(patient.training_loss(patient.model, _copied(patient.inputs)))


def _round_trip(patient: Patient) -> float:
    way = patient.pipeline
    assert way
    assert way.encode
    assert way.perfect
    assert way.decode
    assert way.evaluate
    found = []
    for sample in way.samples:
        found += way.decode(way.perfect(way.encode(sample.boxes_xyxy, sample.labels)))
    return way.evaluate(found, way.samples)


def test_there_are_as_many_programs_as_promised_and_every_rank_and_host_has_some() -> None:
    assert len(SINGLE) >= 60
    assert len(PROGRAMS) - len(SINGLE) >= 10
    assert {fault.rank for p in PROGRAMS for fault in p.faults} == set(range(1, 18))
    hosts = Counter(p.host for p in PROGRAMS)
    assert set(hosts) == {"anchors", "pyramid", "free", "centre", "classify"}
    assert min(hosts.values()) >= 10


def test_ids_are_unique_and_each_program_names_its_cases() -> None:
    assert len({p.id for p in PROGRAMS}) == len(PROGRAMS)
    assert all(p.cases and all(f.where for f in p.faults) for p in PROGRAMS)


@pytest.mark.parametrize("entry", PROGRAMS, ids=lambda p: p.id)
def test_a_program_and_its_twin_run_and_the_faulty_places_exist(entry: Program) -> None:
    twin, patient = (built(entry.build, faulty=faulty) for faulty in (False, True))
    names = {name for name, _ in patient.model.named_modules(remove_duplicate=False)}
    for fault in entry.faults:
        assert marked_lines(entry, fault)[1], f"no line ends in {fault.marker}"
        inside = [w for w in fault.where if w in names]
        beside = [w for w in fault.where if w.split(".")[0] in BESIDE_THE_MODEL]
        assert inside or beside
    assert 20_000 < sum(p.numel() for p in twin.model.parameters()) < 350_000
    assert math.isfinite(_loss(twin))
    assert not math.isnan(_loss(patient))
    if twin.pipeline:
        assert _round_trip(twin) > 0.99


BY_WHAT_IT_MEASURES = {
    "labels collide with background": 0.9,
    "box formats mixed up": 0.99,
    "outputs read in another order": 0.9,
    "boxes returned at another scale": 0.9,
}


@pytest.mark.parametrize(
    "entry",
    [
        p
        for p in SINGLE
        if p.faults[0].mechanism in BY_WHAT_IT_MEASURES and "pipeline" in p.faults[0].where[0]
    ],
    ids=lambda p: p.id,
)
def test_a_broken_way_back_loses_the_ground_truth(entry: Program) -> None:
    limit = BY_WHAT_IT_MEASURES[entry.faults[0].mechanism]
    assert _round_trip(built(entry.build, faulty=True)) < limit


@pytest.mark.parametrize("entry", PROGRAMS[::12], ids=lambda p: p.id)
def test_a_program_is_built_the_same_each_time(entry: Program) -> None:
    first, second = (built(entry.build, faulty=True).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_there_are_as_many_look_alikes_as_promised() -> None:
    assert len({entry.id for entry in LOOK_ALIKES}) == len(LOOK_ALIKES) >= 40


@pytest.mark.parametrize("entry", LOOK_ALIKES, ids=lambda e: e.id)
def test_a_look_alike_runs_and_is_right(entry: LookAlike) -> None:
    patient = built(entry.build)
    assert math.isfinite(_loss(patient))
    if patient.pipeline:
        assert _round_trip(patient) > 0.99


@pytest.mark.slow
def test_the_networks_of_others_run() -> None:
    pytest.importorskip("transformers")
    from seeded.wild import WILD

    assert len(WILD) >= 60
    for name, build in WILD.items():
        patient = built(build)
        assert math.isfinite(_loss(patient) if patient.training_loss else 0.0), name
        given = patient.inputs if isinstance(patient.inputs, dict) else {"images": patient.inputs}
        with torch.no_grad():
            assert patient.model(**given) is not None, name


def test_every_mechanism_has_its_accepted_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from doctor_scoring import EXPLAINS

    assert {fault.mechanism for p in PROGRAMS for fault in p.faults} == set(EXPLAINS)
