import json
import subprocess
import sys

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
