"""A pytest fixture: `def test_my_net(doctor): doctor(MyNet(), torch.rand(2, 3, 320, 320))`.

Installed with the package; nothing heavy is imported before a test asks for it.
"""

from typing import Any, Protocol

import pytest


class Doctor(Protocol):
    """What the fixture gives: it fails the test, with the report, where the network is unsound."""

    def __call__(self, model: Any, inputs: Any, **how: Any) -> Any: ...


@pytest.fixture
def doctor() -> Doctor:
    """Examine a network, and fail with the report if there is an error; see `examine`."""
    from pocketdet.doctor import Report, examine

    def examine_and_demand(model: Any, inputs: Any, **how: Any) -> Report:
        report = examine(model, inputs, **how)
        if not report.ok:
            pytest.fail(f"the network is not sound\n\n{report}", pytrace=False)
        return report

    return examine_and_demand
