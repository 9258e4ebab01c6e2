"""What is wrong with a part of one's own is said in one sentence with its place and its line."""

from pathlib import Path
import subprocess
import sys

import pytest
import torch

from pocketdet import build, load_config
from pocketdet.model import Detector
from pocketdet.model.saved_detector import detector_to_data

FAULTY = """
from dataclasses import dataclass
from torch import nn

class Halves(nn.Module):
    def forward(self, x): return x[:, :, ::2]

class Two(nn.Module):
    def forward(self, x): return x, x

class Stumbles(nn.Module):
    def forward(self, x):
        b, c, h = x.shape
        return x

def part(build):
    return dataclass(frozen=True, kw_only=True)(type("Part", (), {"build": build, "__module__": __name__}))

def fails(self, channels): raise RuntimeError("no room")
Raises = part(fails)
HalvesPart = part(lambda self, channels: Halves())
TwoPart = part(lambda self, channels: Two())
StumblesPart = part(lambda self, channels: Stumbles())
Number = part(lambda self, channels: 3)
Needy = part(lambda self, channels, more: nn.Identity())

@dataclass
class Thawed:
    def build(self, channels): return nn.Identity()
"""

CASES = {
    "attention: faulty_parts:Raises": r"`attention` \(Part\) cannot be built: RuntimeError: no room"
    r" \(faulty_parts.py:19\)",
    "attention: faulty_parts:StumblesPart": r"`attention.stage1` \(Stumbles\) cannot be run: "
    r"ValueError: too many values.*\(faulty_parts.py:13\)",
    "attention: faulty_parts:HalvesPart": r"must keep the map's size, 48×40×48; it gave 48×20×48",
    "attention: faulty_parts:TwoPart": r"must give one map .* it gave tuple of 2",
    "attention: faulty_parts:Number": r"must give a torch.nn.Module; it gave int",
    "attention: faulty_parts:Needy": r"cannot be built: TypeError: .*'more'",
    "attention: faulty_parts:Thawed": r"must be a frozen dataclass",
    "neck: faulty_parts:Raises": r"`neck` \(Part\) cannot be built: TypeError",
    "head: faulty_parts:Raises": r"`head` \(Part\) cannot be asked for its `sources`",
    "neck: {TopDown: {channels: -4}}": r"`neck` \(TopDown\) cannot be built: .*-4",
}


@pytest.mark.parametrize(("line", "message"), CASES.items(), ids=list(CASES))
def test_a_faulty_part_is_named(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "faulty_parts.py").write_text(FAULTY)
    (tmp_path / "altered.yaml").write_text(f"base: PELEE_TINY\n{line}\n")
    with pytest.raises(ValueError, match=message):
        build(load_config(tmp_path / "altered.yaml"), num_classes=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import module_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
        ("def (", r"cannot be imported: SyntaxError: .*\(unreadable.*py:1\)"),
        ("1 / 0", r"cannot be imported: ZeroDivisionError.*\(unreadable.*py:1\)"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(text: str, message: str, tmp_path: Path) -> None:
    name = f"unreadable{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "altered.yaml").write_text(f"attention: {name}:Gate\n")
    with pytest.raises(ValueError, match=f"`attention` names the module `{name}`, which {message}"):
        load_config(tmp_path / "altered.yaml")


GATE = """
from dataclasses import dataclass
from torch import nn

@dataclass(frozen=True, kw_only=True)
class Gate:
    def build(self, channels): return nn.{}
"""


def test_two_files_of_one_name_are_never_taken_for_each_other(tmp_path: Path) -> None:
    for folder, layer in {"old": "Identity()", "same": "Identity()", "new": "Tanh()"}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "gate_of_two.py").write_text(GATE.format(layer))
        (tmp_path / folder / "altered.yaml").write_text("attention: gate_of_two:Gate\n")
    old = load_config(tmp_path / "old" / "altered.yaml")
    assert load_config(tmp_path / "same" / "altered.yaml") == old
    with pytest.raises(
        ValueError, match=r"new/gate_of_two.py, and another one.*old/gate_of_two.py"
    ):
        load_config(tmp_path / "new" / "altered.yaml")


def test_a_checkpoint_finds_the_parts_that_it_was_made_of(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "gate_of_a_run.py").write_text(GATE.format("Tanh()"))
    file = tmp_path / "project" / "altered.yaml"
    file.write_text("base: PELEE_TINY\nattention: gate_of_a_run:Gate\n")
    torch.save(detector_to_data(build(load_config(file), num_classes=2)), tmp_path / "last.pt")
    program = "from pocketdet import Detector; import sys; Detector.load(sys.argv[1])"
    (tmp_path / "elsewhere").mkdir()
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "last.pt")],
        check=True,
        cwd=tmp_path / "elsewhere",
    )


def test_bytes_of_any_other_file_are_no_checkpoint(tmp_path: Path) -> None:
    for text in (b"hi\n", b"", b"\x80\x02", b"PK\x03\x04 cut"):
        (tmp_path / "other.pt").write_bytes(text)
        with pytest.raises(ValueError, match=r"other.pt is no checkpoint of pocketdet"):
            Detector.load(tmp_path / "other.pt")
