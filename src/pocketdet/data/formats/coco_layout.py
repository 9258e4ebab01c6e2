"""Where the files of a COCO data set lie.

Three layouts are known: `annotations/instances_SPLIT.json` with `SPLIT/` (COCO's own), flat
`SPLIT.json` with `SPLIT/`, and `SPLIT/_annotations.coco.json` with the images beside it.
"""

from collections.abc import Sequence
from pathlib import Path

from pocketdet.data.dataset import split_order

INSTANCES = "instances_"
OTHER_TASKS = ("captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_")
BESIDE_IMAGES = "_annotations.coco.json"
NUM_TRIED = 20  # images that are looked for before a folder is ruled out


def find_coco_files(root: Path) -> dict[str, Path]:
    """Give the JSON file of each split, from the first layout that has any."""
    for found in (
        {_split_name(path): path for path in sorted((root / "annotations").glob("*.json"))},
        {path.stem: path for path in sorted(root.glob("*.json"))},
        {path.parent.name: path for path in sorted(root.glob(f"*/{BESIDE_IMAGES}"))},
    ):
        splits = {
            split: path for split, path in found.items() if not path.name.startswith(OTHER_TASKS)
        }
        if splits:
            return dict(sorted(splits.items(), key=lambda item: split_order(item[0])))
    return {}


def find_image_folder(root: Path, split: str, json_file: Path, names: Sequence[str]) -> Path:
    """Give the folder in which the split's images lie; `ROOT/SPLIT` when none is found."""
    candidates = (
        root / split,
        root / split / "images",
        root / "images" / split,
        root / "images",
        json_file.parent,
        root,
    )
    for name in names[:NUM_TRIED]:
        for folder in candidates:
            if (folder / name).is_file():
                return folder
    return root / split


def _split_name(path: Path) -> str:
    return path.stem.removeprefix(INSTANCES)
