"""Examine a network: run every check that can be run, and never call one clear that did not run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from time import monotonic
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from pocketdet.doctor.check import Check
from pocketdet.doctor.checks import ALL_CHECKS
from pocketdet.doctor.examination import Examination, undisturbed
from pocketdet.doctor.finding import Fault, Finding, Severity
from pocketdet.doctor.loss_call import first_line, says_where
from pocketdet.doctor.missing import Missing, NotObservable
from pocketdet.doctor.observations import OBSERVATIONS
from pocketdet.doctor.patient import Patient, TrainingLoss
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.report import Outcome, Report, Result

Progress = Callable[[str, int, int], None]


def examine(  # noqa: PLR0913 - the fields of a patient
    model: nn.Module,
    inputs: Any,
    *,
    training_loss: TrainingLoss | None = None,
    optimizer: Optimizer | None = None,
    reference: nn.Module | None = None,
    row_boxes: Tensor | Sequence[Tensor] | None = None,
    pipeline: DetectionPipeline | None = None,
    average: nn.Module | None = None,
    allow: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
    budget_s: float | None = None,
    checks: Sequence[Check] = ALL_CHECKS,
    progress: Progress | None = None,
) -> Report:
    """Say whether a network is sound, and if not which module, which line, why, and what to do.

    Everything runs on copies; random states are put back.

    - `model`: any `nn.Module`; `inputs`: a tensor, or a tuple or dict of what `forward` takes;
    - `training_loss`: (model, inputs) to a scalar tensor; any batch size and legal image size;
    - `optimizer`: the one that will train `model`;
    - `reference`: the network before the change;
    - `row_boxes`: (rows, 4) xyxy pixels, the place in the input that each output row claims;
    - `pipeline`: the data's way, see `DetectionPipeline`;
    - `average`: the moving average (EMA) of `model` that will be evaluated;
    - `allow`: check to the reason why it is silenced; `only`: the checks to run;
    - `budget_s`: seconds after which the dearer checks are dropped, and said to be;
    - `progress`: is told what is being done, how many checks are done and of how many.

    Raises `ValueError` for a model that is no module, cannot be copied or refuses its inputs,
    and for unknown checks in `allow` and `only`.
    """
    _refuse_bad_arguments(model, allow, only, checks)
    _refuse_other_types(training_loss=training_loss, optimizer=optimizer, pipeline=pipeline)
    patient = Patient(
        model=model,
        inputs=inputs,
        training_loss=None if training_loss is None else says_where(training_loss),
        optimizer=optimizer,
        reference=reference,
        row_boxes=row_boxes,
        pipeline=pipeline,
        average=average,
    )
    chosen = [check for check in checks if only is None or check.id in only]
    start = monotonic()
    examination = Examination(patient, OBSERVATIONS)
    _refuse_unusable(examination)
    results: list[Result] = []
    for number, check in enumerate(sorted(chosen, key=lambda check: check.stage)):
        if progress is not None:
            progress(f"examining: {check.stage.title}", number, len(chosen))
        if budget_s is not None and monotonic() - start > budget_s:
            reason = f"the budget of {budget_s:g} s was spent"
            results.append(Result(check=check, outcome=Outcome.NOT_RUN, reason=reason))
        else:
            results.append(_run(check, examination, (allow or {}).get(check.id)))
    if progress is not None:
        progress("examining", len(chosen), len(chosen))
    return Report(results=tuple(_explained(results)), seconds=monotonic() - start)


def _refuse_bad_arguments(
    model: Any,
    allow: Mapping[str, str] | None,
    only: Sequence[str] | None,
    checks: Sequence[Check],
) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"`model` must be a torch.nn.Module; got {type(model).__name__}.")
    refuse_unknown_checks(allow, only, checks)


def _refuse_other_types(*, training_loss: Any, optimizer: Any, pipeline: Any) -> None:
    if training_loss is not None and not callable(training_loss):
        kind = type(training_loss).__name__
        raise ValueError(f"`training_loss` must be a function of model and inputs; got {kind}.")
    for name, given, attribute, wanted in (
        ("optimizer", optimizer, "param_groups", "torch.optim.Optimizer"),
        ("pipeline", pipeline, "samples", "DetectionPipeline"),
    ):
        if given is not None and getattr(given, attribute, None) is None:
            raise ValueError(f"`{name}` must be a {wanted}; got a {type(given).__name__}.")


def refuse_unknown_checks(
    allow: Mapping[str, str] | None, only: Sequence[str] | None, checks: Sequence[Check]
) -> None:
    """Raise `ValueError` for a check that does not exist, or that is allowed without a reason."""
    ids = [check.id for check in checks]
    for argument, names in (("allow", allow or {}), ("only", only or ())):
        for name in names:
            if name not in ids:
                close = get_close_matches(name, ids, n=1, cutoff=0.4)
                hint = f" Did you mean `{close[0]}`?" if close else ""
                raise ValueError(f"`{argument}` must name checks; there is no `{name}`.{hint}")
    for name, reason in (allow or {}).items():
        if not reason or not reason.strip():
            raise ValueError(f"`allow` must give a reason for each check; `{name}` has none.")


def _refuse_unusable(examination: Examination) -> None:
    """Let a network that cannot run on its inputs fail at once, with what it said."""
    try:
        with undisturbed():
            examination.ask("trace")
    except (Missing, NotObservable):
        raise
    except ValueError as error:
        if str(error).startswith("`model` must be one"):
            raise
        raise _unusable(error) from error
    except Exception as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> ValueError:
    return ValueError(
        "`model` must run on `inputs` in evaluation mode; its forward pass raised "
        f"{first_line(error)}"
    )


def _run(check: Check, examination: Examination, reason_to_allow: str | None) -> Result:
    def find() -> Iterator[Fault]:
        return check.find(**examination.arguments_for(check.find))

    return outcome_of(check, find, reason_to_allow)


def outcome_of(
    check: Check, find: Callable[[], Iterator[Fault]], reason_to_allow: str | None
) -> Result:
    """Run one check, with all states put back, and say what became of it."""
    start = monotonic()
    try:
        with undisturbed():
            faults = tuple(find())
    except (Missing, NotObservable) as why:
        spent = monotonic() - start
        return Result(check=check, outcome=Outcome.NOT_RUN, reason=str(why), seconds=spent)
    except Exception as error:  # One broken check must not hide the others.
        reason = first_line(error)
        return Result(check=check, outcome=Outcome.CRASHED, reason=reason)
    kept = one_a_line(faults)
    outcome = Outcome.FOUND if kept else Outcome.CLEAR
    if kept and reason_to_allow is not None:
        outcome = Outcome.ALLOWED
    return Result(
        check=check,
        outcome=outcome,
        findings=tuple(_finding(check, fault) for fault in kept),
        order=tuple(fault.at for fault in kept),
        reason=reason_to_allow or "" if outcome is Outcome.ALLOWED else "",
        seconds=monotonic() - start,
    )


def one_a_line(faults: Sequence[Fault]) -> list[Fault]:
    """Tell a line once, however many modules run it: the first, and where else.

    Faults without a line, or of another severity, stay apart.
    """
    by_line: dict[tuple[object, ...], list[Fault]] = {}
    for fault in sorted(faults, key=lambda fault: fault.at):
        line = (fault.source, fault.severity) if fault.source else (id(fault),)
        by_line.setdefault(line, []).append(fault)
    return [_with_others(*same) for same in by_line.values()]


def _with_others(first: Fault, *others: Fault) -> Fault:
    places = list(dict.fromkeys(fault.where for fault in others if fault.where != first.where))
    if not places:
        return first
    named = ", ".join(f"`{place}`" for place in places[:3])
    more = f" and {len(places) - 3} more" * (len(places) > 3)
    return replace(
        first,
        evidence=f"{first.evidence} The same line does it in {named}{more}.",
        measured={**first.measured, "also": places},
    )


def _finding(check: Check, fault: Fault) -> Finding:
    return Finding(
        check=check.id,
        severity=fault.severity or check.severity,
        where=fault.where,
        source=str(fault.source) if fault.source else None,
        evidence=fault.evidence,
        measured=fault.measured,
        remedy=fault.remedy or check.remedy,
        path=fault.source.path if fault.source else None,
        line=fault.source.line if fault.source else None,
    )


def _explained(results: Sequence[Result]) -> Iterator[Result]:
    """Make what follows from another finding in the same place an info that says so."""
    causes = [f for r in results if r.outcome is Outcome.FOUND for f in r.findings]
    for result in results:
        findings = tuple(_with_cause(result.check, f, causes) for f in result.findings)
        yield replace(result, findings=findings)


def _with_cause(check: Check, finding: Finding, causes: Sequence[Finding]) -> Finding:
    for cause in causes:
        places = (cause.where, *cause.measured.get("also", ()))
        explains = cause.check in check.explained_by
        if explains and any(_share_a_place(place, finding.where) for place in places):
            return replace(finding, severity=Severity.INFO, follows_from=cause.check)
    return finding


def _share_a_place(first: str, second: str) -> bool:
    return (
        first == second
        or first.startswith(f"{second}.")
        or second.startswith(f"{first}.")
        or first.rpartition(".")[0] == second.rpartition(".")[0] != ""
    )
