from pathlib import Path

import pytest
from small_sets import small_dataset

from pocketdet.data.checking.repeated_images import may_share


def test_an_unknown_split_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean `train`"):
        small_dataset(tmp_path).split("trian")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("trainval", "train", True),
        ("val2017", "trainval2017", True),
        ("all", "test", True),
        ("trainval", "test", False),
        ("train", "val", False),
    ],
)
def test_only_a_union_may_share_images(one: str, other: str, *, shared: bool) -> None:
    assert may_share(one, other) is may_share(other, one) is shared
