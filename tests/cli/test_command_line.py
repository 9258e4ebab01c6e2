from functools import partial
import json
import subprocess
import sys

import pytest
import typer

from pocketdet.cli.exit_code import ExitCode

HEAVY = ("torch", "numpy", "cv2", "matplotlib", "yaml", "sklearn")


def pocketdet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pocketdet", *arguments], capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    """What makes `pocketdet --help` answer at once, held without a clock."""
    program = f"import sys, pocketdet.cli; sys.exit(sum(m in sys.modules for m in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_help_names_every_command() -> None:
    shown = pocketdet("--help").stdout
    for command in ("demo", "describe", "train", "evaluate", "predict", "data"):
        assert command in shown


def test_describe_counts_cells_where_a_head_has_no_priors() -> None:
    words = pocketdet("describe", "PELEE_TINY_GFL").stdout
    assert "639 cells;" in words
    assert "prior" not in words


def test_describe_prints_the_published_numbers_as_json() -> None:
    result = pocketdet("describe", "PELEE", "--json")
    figures = json.loads(result.stdout)
    assert result.returncode == ExitCode.OK
    assert figures["parameters_folded"] == 5_417_188
    assert figures["macs"] == 1_204_968_960
    assert figures["num_priors"] == sum(level["num_priors"] for level in figures["levels"]) == 5142


def test_a_users_error_is_one_sentence_and_exit_code_2() -> None:
    result = pocketdet("describe", "PELEE_TNY")
    assert result.returncode == ExitCode.FAILED
    assert result.stdout == ""
    assert "Did you mean `PELEE_TINY`?" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_part_of_ones_own_is_found_beside_the_config_file(tmp_path) -> None:
    (tmp_path / "gates_for_cli_test.py").write_text(
        "from dataclasses import dataclass\n"
        "from torch import nn\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Gate:\n"
        "    def build(self, channels):\n"
        "        return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())\n"
    )
    config = tmp_path / "altered.yaml"
    config.write_text("base: PELEE_TINY\nattention: gates_for_cli_test:Gate\n")
    altered = json.loads(pocketdet("describe", str(config), "--json").stdout)
    plain = json.loads(pocketdet("describe", "PELEE_TINY", "--json").stdout)
    assert altered["parameters"] > plain["parameters"]


def test_what_the_users_code_raises_in_the_middle_is_one_sentence_and_ours_a_traceback(
    tmp_path, monkeypatch, capsys
) -> None:
    (tmp_path / "raising_judge.py").write_text("def judge(): return {}['key']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from raising_judge import judge  # pyright: ignore

    from pocketdet import cli

    monkeypatch.setattr(cli, "app", judge)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == ExitCode.FAILED
    assert "raised KeyError: 'key' (raising_judge.py:1)." in capsys.readouterr().err
    monkeypatch.setattr(cli, "app", partial(cli.extra_with, 3))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        cli.main()


def test_a_judge_that_cannot_judge_ends_a_git_bisect() -> None:
    """Exit code 2, as everywhere else, would call the commit bad."""
    for arguments in (["--against", "PELEE_TNY", "--data", "digits"], ["--nonsense"]):
        result = pocketdet("judge", "PELEE_TINY", *arguments)
        assert result.returncode == ExitCode.ABORT
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("command", "code"), [("train", 2), ("judge", 128)])
def test_ctrl_c_is_answered_with_how_to_go_on(command, code, monkeypatch, capsys) -> None:
    from pocketdet import cli

    stopping = typer.Typer()

    @stopping.callback()
    def every() -> None: ...

    @stopping.command(command)
    def interrupted() -> None:
        error = KeyboardInterrupt()
        error.add_note("`--resume runs/x` goes on.")
        raise error

    monkeypatch.setattr(cli, "app", stopping)
    monkeypatch.setattr("sys.argv", ["pocketdet", command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == "pocketdet: stopped. `--resume runs/x` goes on.\n"
