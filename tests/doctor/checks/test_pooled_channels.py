from host import Alter, examined, found
from inline_snapshot import snapshot
import pytest

# 32 px images make 16×16 maps of 16 channels: a row or column fits where channels are meant.
WRONG: dict[str, Alter] = {
    "mean": lambda net, x: x * net.of_channels(x.mean((1, 2))).sigmoid()[:, :, None, None],
    "maximum": lambda net, x: x * net.of_channels(x.amax((1, 3))).sigmoid()[:, :, None, None],
}

RIGHT: dict[str, Alter] = {
    "both sides": lambda net, x: x * net.of_channels(x.mean((2, 3)))[:, :, None, None].sigmoid(),
    "channels": lambda net, x: x * (net.to_one(x) + x.mean(1, keepdim=True)).sigmoid(),
    "one side": lambda net, x: x * net.to_all(x.mean(3, keepdim=True)).sigmoid(),
    "everything": lambda net, x: x * x.mean((1, 2, 3), keepdim=True).sigmoid(),
}


@pytest.mark.parametrize("name", WRONG)
def test_channels_pooled_with_a_side_are_a_warning(name: str) -> None:
    assert found(WRONG[name], "pooled-channels") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_other_pooling(name: str) -> None:
    assert found(RIGHT[name], "pooled-channels") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["mean"], "pooled-channels").findings
    assert finding.evidence == snapshot(
        "`mean` takes the channels and the height of a 2×16×16×16 map together, and `of_channels` reads what is left, one number for each column, as features."
    )
