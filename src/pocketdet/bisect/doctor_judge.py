"""The judge that asks the doctor: errors of a subject that the healthy end does not have too."""

from collections.abc import Sequence
import json
from typing import Generic, TypeVar

from pocketdet.bisect.verdict import Judge, Judgement, Verdict
from pocketdet.conventions import ClassList, Sample
from pocketdet.data.dataset import Traits
from pocketdet.doctor import Finding, examine
from pocketdet.doctor.finding import Severity
from pocketdet.model import DetectorConfig, build
from pocketdet.runs.own_patient import own_patient

BUDGET_S = 60.0
Subject = TypeVar("Subject")


class DoctorJudge:
    """Faulty is what the doctor calls an error, unless the healthy end has the same error.

    The same is the same check at the same place.
    """

    def __init__(
        self,
        healthy: DetectorConfig,
        *,
        classes: ClassList,
        samples: Sequence[Sample] = (),
        traits: Traits | None = None,
    ) -> None:
        self._classes, self._samples, self._traits = classes, samples, traits
        self._healthy = healthy
        self._known: set[tuple[str, str]] | None = None

    def open(self, faulty_end: DetectorConfig, *, known: Judgement | None = None) -> Judgement:
        return known or self(faulty_end)

    def __call__(self, subject: DetectorConfig) -> Judgement:
        return judged_by_errors(self.errors(subject))

    def errors(self, subject: DetectorConfig) -> list[Finding]:
        """Examine a subject; what the healthy end has too is left out."""
        if self._known is None:
            self._known = {(f.check, f.where) for f in self._examined(self._healthy)}
        return [f for f in self._examined(subject) if (f.check, f.where) not in self._known]

    def _examined(self, config: DetectorConfig) -> list[Finding]:
        detector = build(config, classes=self._classes, seed=0)
        patient = own_patient(detector, samples=self._samples, traits=self._traits)
        report = examine(**patient.arguments(), budget_s=BUDGET_S)
        return [finding for finding in report.findings if finding.severity is Severity.ERROR]


def judged_by_errors(errors: Sequence[Finding]) -> Judgement:
    """Make a judgement of the errors that a subject has and the healthy end has not."""
    if not errors:
        return Judgement(verdict=Verdict.HEALTHY, why="the doctor finds no error")
    first = errors[0]
    place = f" in {first.where}" if first.where else ""
    more = f" ({len(errors) - 1} more)" * (len(errors) > 1)
    return Judgement(
        verdict=Verdict.FAULTY,
        why=f"{first.check}{place}: {first.evidence}{more}",
        measured={"findings": json.loads(json.dumps([e.to_data() for e in errors], default=str))},
    )


class BothJudges(Generic[Subject]):
    """The doctor first: what it explains needs no training; the rest is trained."""

    def __init__(self, doctor: Judge[Subject], training: Judge[Subject]) -> None:
        self._doctor, self._training = doctor, training
        self._is_explained = False

    def open(self, faulty_end: Subject, *, known: Judgement | None = None) -> Judgement:
        if known is None:
            known = self._doctor.open(faulty_end)
        self._is_explained = known.is_faulty and "findings" in known.measured
        return known if self._is_explained else self._training.open(faulty_end)

    def __call__(self, subject: Subject) -> Judgement:
        return (self._doctor if self._is_explained else self._training)(subject)
