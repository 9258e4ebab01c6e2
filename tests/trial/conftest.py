"""The detectors of these tests are too small to be shared between threads."""

from collections.abc import Iterator

import pytest
from small_trial import write_shapes
import torch

from pocketdet.runs.data import DataSource
from pocketdet.trial import TrialData, open_trial_data


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> DataSource:
    return DataSource(data=str(write_shapes(tmp_path_factory.mktemp("shapes") / "shapes")))


@pytest.fixture(scope="session")
def data(source) -> TrialData:
    return open_trial_data(source)
