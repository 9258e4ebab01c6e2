"""A bisect that is killed goes on where it was, and asks nothing twice."""

from pathlib import Path
import signal
import subprocess
import sys

from bisect_toy import Counting, Letters, change
import pytest

from pocketdet.bisect.log import Log
from pocketdet.bisect.search import Search
from pocketdet.bisect.verdict import Judgement, Verdict

SLOW_SEARCH = """
import os, signal, sys
from pathlib import Path
from bisect_toy import Counting, Letters
from pocketdet.bisect.log import Log
from pocketdet.bisect.search import Search

class Killed(Counting):
    def __call__(self, subject):
        with open(sys.argv[2], "a") as file:
            file.write("".join(sorted(subject)) + "\\n")
        if len(self.asked) == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(subject)

log = Log(Path(sys.argv[1]), about={"what": "toy"})
progress = Search(Letters("abcdefgh"), Killed([["c", "f"], ["h"]]), memory=log).run()
print([[c.field for c in found.changes] for found in progress.found])
"""


def run(folder: Path, die_after: int) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).resolve().parent
    source = here.parents[1] / "src"
    return subprocess.run(
        [sys.executable, "-c", SLOW_SEARCH, folder / "log.jsonl", folder / "asked", str(die_after)],
        env={"PYTHONPATH": f"{source}:{here}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_search_killed_again_and_again_gives_the_same_answer_and_asks_nothing_twice(
    tmp_path: Path,
) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = run(tmp_path / "whole", 1000)
    assert whole.returncode == 0, whole.stderr
    kills = 0
    while (done := run(tmp_path / "killed", 6)).returncode != 0:
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills >= 2
    assert done.stdout == whole.stdout
    judged, at_once = ((tmp_path / n / "asked").read_text().split() for n in ("killed", "whole"))
    lines = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    assert len(lines) == len((tmp_path / "whole" / "log.jsonl").read_text().splitlines())
    assert set(judged) == set(at_once)
    assert len(judged) == len(at_once) + kills  # only what was at work when it was killed


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path, about={})
    log.keep(1, (change("a"),), Judgement(verdict=Verdict.FAULTY, why="so"), 1.5)
    with path.open("ab") as file:
        file.write(b'{"round": 1, "chan')
    again = Log(path, about={})
    assert len(again) == 1
    kept = again.recall(1, (change("a"),))
    assert kept is not None
    assert (kept.verdict, kept.why, kept.seconds) == (Verdict.FAULTY, "so", 1.5)
    assert again.recall(2, (change("a"),)) is None
    assert path.read_bytes().endswith(b"}\n")


def test_the_log_of_another_bisect_is_refused(tmp_path: Path) -> None:
    Log(tmp_path / "log.jsonl", about={"data": "x"})
    with pytest.raises(ValueError, match="the log of another one"):
        Log(tmp_path / "log.jsonl", about={"data": "y"})


def test_an_interrupted_search_has_the_smallest_set_so_far(tmp_path: Path) -> None:
    class Interrupted(Counting):
        def __call__(self, subject: frozenset[str]) -> Judgement:
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().__call__(subject)

    search = Search(
        Letters("abcdefgh"), Interrupted([["b"]]), memory=Log(tmp_path / "log", about={})
    )
    with pytest.raises(KeyboardInterrupt):
        search.run()
    names = {c.field for c in search.progress.smallest}
    assert "b" in names
    assert len(names) <= 4
    assert not search.progress.is_complete
