from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import numpy as np
import pytest
from small_pipeline import SOUND, Example, altered, transform
import torch

CHECK = "repeated-draws"
SHARED = np.random.default_rng(0)


def darkened(example: Example, factor: float) -> Example:
    return replace(example, image=(example.image * factor).to(torch.uint8))


class OwnGenerator:
    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, example: Example) -> Example:
        return darkened(example, float(torch.rand((), generator=self.generator)))


def closed_over():
    generator = np.random.default_rng(0)
    return lambda example: darkened(example, float(generator.random()))


def of_the_module(example: Example) -> Example:
    return darkened(example, float(SHARED.random()))


def of_numpy(example: Example) -> Example:
    return darkened(example, float(np.random.rand()))


def seeded_inside(example: Example) -> Example:
    torch.manual_seed(7)
    return transform(example)


def nothing_drawn(example: Example) -> Example:
    return example


@pytest.mark.parametrize("transform", [transform, nothing_drawn])
def test_draws_from_torchs_state_or_none_are_clear(transform) -> None:
    assert findings_of(CHECK, altered(transform=transform)) == []


@pytest.mark.parametrize("transform", [OwnGenerator(), closed_over(), of_the_module])
def test_a_generator_that_workers_copy_is_a_warning(transform) -> None:
    (finding,) = findings_of(CHECK, altered(transform=transform))
    assert finding.severity == "warning"
    assert "holds a random generator of its own" in finding.evidence


def test_a_global_seed_is_a_warning_that_names_the_state() -> None:
    (finding,) = findings_of(CHECK, altered(transform=seeded_inside))
    assert finding.severity == "warning"
    assert "sets the seed of torch:" in finding.evidence


def test_what_only_may_go_wrong_is_an_info() -> None:
    assert [f.severity for f in findings_of(CHECK, altered(transform=of_numpy))] == ["info"]


def test_without_a_transform_it_is_not_run() -> None:
    assert result_of(CHECK, altered(transform=None)).outcome == "not run"
    assert SOUND.transform is transform


def test_reads_well() -> None:
    assert findings_of(CHECK, altered(transform=OwnGenerator()))[0].evidence == snapshot(
        "`transform` holds a random generator of its own, `generator`: every worker process begins with a copy of it and draws the same numbers as the others."
    )
