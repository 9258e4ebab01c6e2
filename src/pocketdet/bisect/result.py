"""What came of a bisect, as data and as files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
import json
import os
from pathlib import Path
from typing import Any

import yaml

from pocketdet.bisect.curves import draw_curves
from pocketdet.bisect.page import page
from pocketdet.bisect.scale import Scale
from pocketdet.bisect.search import Progress
from pocketdet.bisect.space import Space
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.bisect.verdict import Judgement
from pocketdet.doctor import Finding
from pocketdet.edit.config_changes import Change
from pocketdet.model import DetectorConfig
from pocketdet.model.config_data import config_to_data
from pocketdet.train.atomic_file import write_atomically

Findings = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class BisectResult:
    """The guilty sets, and what the altered config is without them.

    - `stopped` says why it is not complete; `mended` is None while nothing was found;
    - `findings` are the doctor's errors of the altered end, `findings_of` those of each guilty set
      by itself, in their order.
    """

    healthy: str
    altered: str
    judge: str
    data: str
    folder: Path
    progress: Progress
    mended: DetectorConfig | None
    altered_config: DetectorConfig | None
    stopped: str
    scales: tuple[Scale, ...]
    findings: Findings = ()
    findings_of: tuple[Findings, ...] = ()

    @property
    def is_faulty(self) -> bool:
        """Whether the altered end was found faulty."""
        asked = self.progress.asked
        return bool(asked) and asked[0].judgement.is_faulty

    @property
    def num_judgements(self) -> int:
        """How many sets were judged; those that cannot be made are not counted."""
        return self.progress.asked[-1].number if self.progress.asked else 0

    @property
    def _findings_of(self) -> tuple[Findings, ...]:
        return self.findings_of or ((),) * len(self.progress.found)

    @property
    def minutes(self) -> float:
        """How long judging took, over all interruptions."""
        return sum(one.judgement.seconds for one in self.progress.asked) / 60

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        progress = self.progress
        return {
            "healthy": self.healthy,
            "altered": self.altered,
            "judge": self.judge,
            "data": self.data,
            "folder": str(self.folder),
            "complete": progress.is_complete,
            "ended": progress.ended or self.stopped,
            "faulty": self.is_faulty,
            "guilty": [
                {
                    "changes": [asdict(change) for change in guilty.changes],
                    "why": guilty.judgement.why,
                    "findings": list(findings),
                }
                for guilty, findings in zip(progress.found, self._findings_of, strict=True)
            ],
            "smallest_so_far": [asdict(change) for change in progress.smallest],
            "left_out": [asdict(change) for change in progress.left_out],
            "rest": [asdict(change) for change in progress.rest],
            "judgements": [
                {
                    "round": one.round,
                    "fields": [change.field for change in one.changes],
                    "changes": [str(change) for change in one.changes],
                    **one.judgement.to_data(),
                }
                for one in progress.asked
            ],
            "num_judgements": self.num_judgements,
            "undecided": progress.undecided,
            "scales": [scale.to_data() for scale in self.scales],
            "findings": list(self.findings),
            "mended": None if self.mended is None else config_to_data(self.mended),
            "minutes": round(self.minutes, 2),
        }


def with_findings(
    result: BisectResult, errors: Callable[[Any], Sequence[Finding]], space: Space[Any]
) -> BisectResult:
    """Add what the doctor says of the altered end, and of each guilty set by itself.

    `errors` examines a subject; what a judge has examined already is not examined again.
    """
    if not result.is_faulty:
        return result

    def said(judgement: Judgement, changes: tuple[Change, ...]) -> Findings:
        known = judgement.measured.get("findings")
        found = (e.to_data() for e in errors(space.make(changes))) if known is None else known
        return tuple(found)

    opening = result.progress.asked[0]
    return replace(
        result,
        findings=said(opening.judgement, opening.changes),
        findings_of=tuple(said(one.judgement, one.alone) for one in result.progress.found),
    )


def write_result(
    result: BisectResult, training: TrainingJudge[Any] | None, space: Space[Any]
) -> None:
    """Write result.json, page.html, curves.png and, once something is found, mended.yaml."""
    folder = result.folder
    document = json.dumps(result.to_data(), indent=2, default=str)
    _write(folder / "result.json", document)
    curves = None if training is None else draw_curves(result.progress, training, space)
    if curves is not None:
        write_atomically(folder / "curves.png", lambda file: file.write(curves))
    mended = None if result.mended is None else mended_text(result, folder)
    _write(folder / "page.html", page(result.to_data(), curves=curves, mended=mended))
    if mended is not None:
        _write(folder / "mended.yaml", mended)


def mended_text(result: BisectResult, folder: Path) -> str:
    """Write the mended config as what differs from the altered one."""
    assert result.mended is not None
    assert result.altered_config is not None
    altered, mended = config_to_data(result.altered_config), config_to_data(result.mended)
    base = result.altered
    if base.endswith((".yaml", ".yml")):
        base = Path(os.path.relpath(Path(base).resolve(), folder.resolve())).as_posix()
    differing = {name: value for name, value in mended.items() if altered[name] != value}
    lines = [
        f"# reverted: {change}" for guilty in result.progress.found for change in guilty.changes
    ]
    text = yaml.safe_dump({"base": base, **differing}, sort_keys=False, default_flow_style=None)
    return "\n".join([*lines, text])


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))
