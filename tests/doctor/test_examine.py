"""What holds for every examination, whatever the checks."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from pocketdet.doctor import Check, Fault, Severity, Stage, examine


def check(find, *, id: str = "made-up", **how) -> Check:
    return Check(
        id=id,
        summary="made up",
        stage=how.pop("stage", Stage.AXES),
        severity=how.pop("severity", Severity.ERROR),
        remedy="Nothing.",
        find=find,
        **how,
    )


def outcome(find) -> tuple[str, str]:
    (result,) = examine(nn.Linear(3, 2), torch.rand(2, 3), checks=[check(find)]).results
    return result.outcome.value, result.reason


def test_a_check_that_crashes_is_reported_and_hides_no_other() -> None:
    def crashes(model: nn.Module) -> Iterator[Fault]:
        raise RuntimeError("broken")
        yield

    def finds(model: nn.Module) -> Iterator[Fault]:
        yield Fault(where="", evidence="There it is.")

    report = examine(
        nn.Linear(3, 2), torch.rand(2, 3), checks=[check(crashes, id="a"), check(finds, id="b")]
    )
    assert [r.outcome.value for r in report.results] == ["crashed", "found"]
    assert "crashed[a] RuntimeError: broken" in str(report)
    assert not report.ok


def test_a_check_without_what_it_needs_is_not_called_clear() -> None:
    def wants(training_loss) -> Iterator[Fault]:
        return iter(())

    assert outcome(wants) == ("not run", "needs `training_loss`")


def test_what_has_a_default_is_not_needed() -> None:
    def could_use(model: nn.Module, training_loss=None) -> Iterator[Fault]:
        assert training_loss is None
        return iter(())

    assert outcome(could_use) == ("clear", "")


def test_an_observation_is_made_once_and_its_failure_is_told_to_all() -> None:
    from pocketdet.doctor.examination import Examination
    from pocketdet.doctor.patient import Patient

    calls: list[int] = []

    def fact(model: nn.Module) -> int:
        calls.append(1)
        raise RuntimeError("no")

    examination = Examination(
        Patient(model=nn.Linear(1, 1), inputs=torch.rand(1, 1)), {"fact": fact}
    )
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            examination.ask("fact")
    assert len(calls) == 1


def test_errors_come_first_and_causes_before_what_follows() -> None:
    def several(model: nn.Module) -> Iterator[Fault]:
        yield Fault(where="late", evidence=".", at=9)
        yield Fault(where="odd", evidence=".", at=1, severity=Severity.INFO)
        yield Fault(where="early", evidence=".", at=3)

    def consequence(model: nn.Module) -> Iterator[Fault]:
        yield Fault(where="early.part", evidence=".", at=2)

    report = examine(
        nn.Linear(3, 2),
        torch.rand(2, 3),
        checks=[
            check(several, id="several"),
            check(consequence, id="consequence", explained_by=("several",)),
        ],
    )
    assert [f.where for f in report.findings] == ["early", "late", "odd", "early.part"]
    assert report.findings[-1].follows_from == "several"
    assert report.findings[-1].severity == "info"


def test_a_spent_budget_drops_the_later_stages_and_says_so() -> None:
    def clear(model: nn.Module) -> Iterator[Fault]:
        return iter(())

    report = examine(
        nn.Linear(3, 2),
        torch.rand(2, 3),
        checks=[check(clear, id="late", stage=Stage.OVERFIT)],
        budget_s=1e-9,
    )
    assert report.results[0].outcome.value == "not run"
    assert "budget" in report.results[0].reason


class TakesAnything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 2)

    def forward(self, first: Tensor, *, second: dict[str, list[Tensor]]) -> dict[str, object]:
        return {"a": [self.body(first), (self.body(second["x"][0]), "text")], "b": None}


def test_inputs_and_outputs_of_any_nesting() -> None:
    inputs = {"first": torch.rand(2, 3), "second": {"x": [torch.rand(2, 3)]}}
    assert examine(TakesAnything(), inputs, only=["batch-mixing"]).ok


def test_a_tensor_kept_on_the_model_does_not_stop_it() -> None:
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(3, 2)
            self.last: Tensor | None = None

        def forward(self, rows: Tensor) -> Tensor:
            self.last = self.body(rows)
            return self.last

    model = Remembers()
    model(torch.rand(2, 3))
    assert examine(model, torch.rand(2, 3), only=["batch-mixing"]).ok


@pytest.mark.parametrize(
    ("model", "how", "said"),
    [
        (lambda: "net", {}, "`model` must be a torch.nn.Module; got str"),
        (lambda: nn.Linear(4, 2), {}, "its forward pass raised RuntimeError"),
        (lambda: nn.Linear(3, 2), {"only": ["batch-mixin"]}, "Did you mean `batch-mixing`?"),
        (lambda: nn.Linear(3, 2), {"allow": {"batch-mixing": " "}}, "must give a reason"),
    ],
)
def test_bad_arguments_are_refused_with_the_nearest_choice(model, how, said: str) -> None:
    with pytest.raises(ValueError, match="`") as caught:
        examine(model(), torch.rand(2, 3), **how)
    assert said in str(caught.value)


def test_a_line_that_several_modules_run_is_told_once() -> None:
    class Softmax(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Conv2d(4, 1, 1)

        def forward(self, features: Tensor) -> Tensor:
            return features * self.score(features).softmax(dim=1)

    model = nn.Sequential(nn.Conv2d(3, 4, 1), Softmax(), Softmax(), Softmax())
    (finding,) = examine(model, torch.rand(2, 3, 8, 8), only=["softmax-over-one"]).findings
    assert finding.where == "1"
    assert finding.measured["also"] == ["2", "3"]


def test_a_finding_at_any_place_of_its_cause_follows_from_it() -> None:
    from pocketdet.doctor.finding import SourceLine

    def cause(model: nn.Module) -> Iterator[Fault]:
        for number, where in enumerate(("first", "second")):
            yield Fault(where=where, evidence=".", source=SourceLine("net.py", 3), at=number)

    def consequence(model: nn.Module) -> Iterator[Fault]:
        yield Fault(where="second.conv", evidence=".", at=5)

    report = examine(
        nn.Linear(3, 2),
        torch.rand(2, 3),
        checks=[check(cause, id="a"), check(consequence, id="b", explained_by=("a",))],
    )
    assert [(f.check, f.where, f.severity.value) for f in report.findings] == [
        ("a", "first", "error"),
        ("b", "second.conv", "info"),
    ]
