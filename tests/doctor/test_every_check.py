"""Rules that every check keeps, so that reviewers need not look for them."""

from pathlib import Path
import re

import pytest

from pocketdet.doctor import ALL_CHECKS, Check, Severity
from pocketdet.doctor import checks as package
from pocketdet.doctor.explain import HEADINGS, pages
from pocketdet.doctor.observations import OBSERVATIONS
from pocketdet.doctor.patient import FIELDS

FILES = sorted(path.stem for path in Path(package.__path__[0]).glob("[!_]*.py"))
PAGES = Path(__file__).parents[2] / "docs" / "checks"
EVERY_CHECK = pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.id)


def test_every_check_file_is_listed_in_order() -> None:
    assert [check.id.replace("-", "_") for check in ALL_CHECKS] == FILES


@EVERY_CHECK
def test_names_the_fault_not_the_remedy(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.id)
    assert not check.id.startswith(("no-", "avoid-", "fix-", "check-"))


@EVERY_CHECK
def test_explains_itself(check: Check) -> None:
    places = [check.explanation.find(heading) for heading in HEADINGS]
    assert -1 not in places
    assert places == sorted(places)
    assert check.remedy.endswith(".")
    assert not check.summary.endswith(".")
    assert isinstance(check.severity, Severity)


@EVERY_CHECK
def test_asks_only_for_what_can_be_had(check: Check) -> None:
    assert set(check.needs) <= {*FIELDS, *OBSERVATIONS}


@EVERY_CHECK
def test_is_explained_only_by_checks_that_exist(check: Check) -> None:
    assert set(check.explained_by) <= {other.id for other in ALL_CHECKS}


@EVERY_CHECK
def test_has_its_own_tests(check: Check) -> None:
    name = f"test_{check.id.replace('-', '_')}.py"
    assert (Path(__file__).parent / "checks" / name).exists()


def test_the_pages_are_those_of_the_docstrings() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert written == pages(), "run `python -m pocketdet.doctor.explain docs/checks`"
