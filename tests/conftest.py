"""Where the tests find real data: beside the checkout, or they skip and say so."""

from pathlib import Path

import pytest
import torch

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _folder(name: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real data set `{name}` is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def bccd_dir() -> Path:
    return _folder("bccd") / "BCCD"


@pytest.fixture(scope="session")
def aquarium_dir() -> Path:
    return _folder("aquarium")


@pytest.fixture(scope="session")
def evaluator_dir() -> Path:
    return _folder("evaluator")


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    torch.manual_seed(0)
