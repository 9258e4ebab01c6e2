from inline_snapshot import snapshot
from torch import Tensor, nn
from training_nets import examined, serious


class Levels(nn.Module):
    """A head over two levels, of which the coarser one is much larger."""

    def __init__(self, *norms: nn.Module, times: float = 10.0) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.tower, self.head = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.Conv2d(8, 2, 1)
        self.norms = nn.ModuleList(norms)
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x).relu()
        levels = fine, self.times * (self.coarse(fine) + 1)
        said = [
            self.head(self.norms[i % len(self.norms)](self.tower(level)).relu())
            for i, level in enumerate(levels)
        ]
        return said[0].mean((2, 3)) + said[1].mean((2, 3))


def test_finds_one_norm_for_levels_that_are_far_apart() -> None:
    net = Levels(nn.BatchNorm2d(8))
    assert serious(examined("shared-statistics", net, size=32)) == [("norms.0", "warning")]


def test_is_clear_for_norms_of_their_own_groups_and_levels_alike() -> None:
    for net in (
        Levels(nn.BatchNorm2d(8), nn.BatchNorm2d(8)),
        Levels(nn.GroupNorm(2, 8)),
        Levels(nn.BatchNorm2d(8), times=0.5),
    ):
        assert examined("shared-statistics", net, size=32) == []


def test_reads_well() -> None:
    (finding,) = examined("shared-statistics", Levels(nn.BatchNorm2d(8)), size=32)
    assert finding.evidence.startswith("`norms.0` normalises 2 inputs in a pass")
    assert set(finding.measured) == snapshot({"apart", "times", "calls"})
