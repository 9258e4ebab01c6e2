import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_demo_goes_from_nothing_to_pictures(tmp_path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pocketdet",
            "demo",
            "--epochs",
            "1",
            "--out",
            str(tmp_path),
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["num_images"] == 400
    assert 0 <= report["ap"] <= report["ap50"] <= 1
    pictures = tmp_path / report["pictures"]
    for name in ("examples.png", "pr_curves.png", "confusion.png", "metrics.json"):
        assert (pictures / name).stat().st_size > 0
