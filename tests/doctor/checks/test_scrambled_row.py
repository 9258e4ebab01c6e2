from pathlib import Path

from inline_snapshot import snapshot
import pytest
from small_detector import SIZE, SmallDetector, anchors_outside, transposed, without_permute
from test_misplaced_row import line_of
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine


def examined(model: nn.Module, *, size: tuple[int, int] = SIZE) -> list[Finding]:
    report = examine(model, torch.rand(2, 3, *size), only=["scrambled-row"])
    assert report.results[0].outcome in ("clear", "found"), report.results[0].reason
    return list(report.findings)


def test_a_view_without_permute_is_an_error_at_the_view() -> None:
    (finding,) = examined(SmallDetector(cls=without_permute))
    assert (finding.severity, finding.where) == ("error", "cls_head")
    assert finding.source == line_of("scrambled")


class Levels(nn.Module):
    """Two levels, joined and squashed, of which one may be scrambled."""

    def __init__(self, *, is_scrambled: bool) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 15, 8, stride=8)
        self.coarse = nn.Conv2d(3, 15, 16, stride=16)
        self.is_scrambled = is_scrambled

    def forward(self, images: Tensor) -> Tensor:
        fine, coarse = self.fine(images), self.coarse(images)
        rows = fine.permute(0, 2, 3, 1).reshape(len(images), -1, 5)
        if self.is_scrambled:
            return torch.cat([rows, coarse.reshape(len(images), -1, 5)], 1).sigmoid()
        return torch.cat([rows, coarse.permute(0, 2, 3, 1).reshape(len(images), -1, 5)], 1)


def test_the_level_that_is_scrambled_is_named() -> None:
    assert [f.where for f in examined(Levels(is_scrambled=True))] == ["coarse"]
    assert examined(Levels(is_scrambled=False)) == []


class Tokens(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 24, 8, stride=8)
        sizes = {"mixing": 12 * 16, "lines": 16, "patches": 24 * 4}
        self.head = nn.Linear(sizes.get(how, 24), 6)
        self.how = how

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(images)
        b, c, h, w = x.shape
        if self.how == "scrambled":
            return self.head(x.view(b, h * w, c))
        if self.how == "channels last":
            return self.head(x.flatten(2).transpose(1, 2))
        if self.how == "mixing":
            return self.head(x.flatten(2))
        if self.how == "lines":
            return self.head(x.reshape(b, c * h, w))
        if self.how == "undone":
            return self.head(x.view(b, h * w, c).view(b, c, h, w).permute(0, 2, 3, 1))
        patches = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
        return self.head(patches.reshape(b, h * w // 4, c * 4))


def test_tokens_made_by_a_view_are_scraps() -> None:
    (finding,) = examined(Tokens("scrambled"))
    assert (finding.severity, finding.where) == ("error", "body")


@pytest.mark.parametrize("how", ["channels last", "mixing", "lines", "undone", "patches"])
def test_other_ways_to_make_rows_are_clear(how: str) -> None:
    assert examined(Tokens(how)) == []


def test_rows_in_an_unusual_order_are_whole() -> None:
    assert examined(SmallDetector(reg=anchors_outside, cls=transposed)) == []


def test_reads_well() -> None:
    (finding,) = examined(SmallDetector(reg=without_permute))
    assert finding.evidence == snapshot(
        "`view` makes 2×576×4 rows of the 12×12×16 map, and the output reads each as one place, but in 100% of them the 4 entries are several: those of row 576 run from row 0 column 0 to row 0 column 3 in channel 0."
    )


class BackToAMap(nn.Module):
    """Tokens through linear layers, and back into a map that a convolution reads."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 8, stride=8)
        self.line, self.norm = nn.Linear(24, 24), nn.LayerNorm(24)
        self.mix = nn.Linear(12 * 16, 12 * 16)
        self.grow = nn.Linear(24, 24 * 4)
        self.head = nn.Conv2d(24, 5, 3, padding=1)
        self.how = how

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images)
        b, c, h, w = x.shape
        tokens = self.norm(self.line(x.flatten(2).transpose(1, 2))).relu()
        if self.how == "viewed":
            return self.head(tokens.reshape(b, c, h, w))  # folded
        if self.how == "viewed, then joined":
            both = torch.cat([x[:, :12], tokens.reshape(b, c, h, w)[:, :12]], 1)
            return self.head(both)
        if self.how == "transposed":
            return self.head(tokens.transpose(1, 2).reshape(b, c, h, w))
        if self.how == "channels last":
            return self.head(tokens.reshape(b, h, w, c).permute(0, 3, 1, 2))
        if self.how == "mixed over places":
            return self.head(self.mix(tokens.transpose(1, 2)).reshape(b, c, h, w))
        grown = self.grow(tokens).reshape(b, h, w, 2, 2, c).permute(0, 5, 1, 3, 2, 4)
        return self.head(grown.reshape(b, c, 2 * h, 2 * w))


def test_tokens_viewed_back_into_a_map_are_an_error_at_the_view() -> None:
    (finding,) = examined(BackToAMap("viewed"))
    assert (finding.severity, finding.source) == ("error", line_in_this_file("folded"))
    assert finding.evidence == snapshot(
        "`view` makes a 2×24×12×16 map of 2×192×24 tokens, of which `head` reads axis 1 as channels, but at 100% of its places they are features of several tokens."
    )


def test_tokens_viewed_back_and_joined_with_a_map_are_an_error() -> None:
    assert [f.severity for f in examined(BackToAMap("viewed, then joined"))] == ["error"]


def line_in_this_file(mark: str) -> str:
    lines = Path(__file__).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    return f"{Path(__file__).name}:{number}"


@pytest.mark.parametrize("how", ["transposed", "channels last", "mixed over places", "grown"])
def test_tokens_that_keep_their_places_on_the_way_back_are_clear(how: str) -> None:
    assert examined(BackToAMap(how)) == []


class Patches(nn.Module):
    """An image cut into patches of 8×8 pixels, each read by one layer."""

    def __init__(self, *, is_scrambled: bool) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(192, 16), nn.Linear(16, 2)
        self.is_scrambled = is_scrambled

    def forward(self, images: Tensor) -> Tensor:
        b, c, h, w = images.shape
        cut = images.view(b, c, h // 8, 8, w // 8, 8)
        patches = images if self.is_scrambled else cut.permute(0, 2, 4, 3, 5, 1)
        return self.head(self.embed(patches.reshape(b, -1, 192)).relu())


def test_an_image_cut_into_patches_by_one_reshape_is_an_error() -> None:
    (finding,) = examined(Patches(is_scrambled=True), size=(40, 56))
    assert finding.severity == "error"
    assert examined(Patches(is_scrambled=False), size=(40, 56)) == []
