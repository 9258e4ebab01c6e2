"""What a comparison says of one config, in one sentence."""

from types import SimpleNamespace

import pytest

from pocketdet.compare.comparison import Comparison


def comparison() -> Comparison:
    return Comparison(
        contenders=(SimpleNamespace(name="base"),),
        against=(),
        best=None,
        num_seeds=3,
        planned_seeds=3,
        num_images=87,
        level=0.05,
        reason="all 3 seeds are done",
        minutes=1.0,
    )


@pytest.mark.parametrize(
    ("answer", "further", "words"),
    [
        ("better", 0, "other is better than base: +1.0 AP [-2.0, +4.0] over 3 seeds."),
        ("open", None, "over 3 seeds; no number of seeds would settle 2 AP on 87 images."),
        ("open", 0, "over 3 seeds; these seeds would have shown 2 AP four times in five."),
        ("open", 1, "over 3 seeds; 1 further seed would settle a difference of 2 AP."),
        ("open", 17, "over 3 seeds; 17 further seeds would settle a difference of 2 AP."),
    ],
)
def test_it_says_over_how_many_seeds_and_how_many_more(answer, further, words) -> None:
    against = SimpleNamespace(
        name="other",
        differences={"AP": SimpleNamespace(value=1.0, low=-2.0, high=4.0)},
        verdict=SimpleNamespace(answer=answer, size=2.0, further_seeds=further),
    )
    assert comparison().sentence(against).endswith(words)
