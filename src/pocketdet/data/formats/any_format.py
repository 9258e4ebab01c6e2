"""The formats that data sets come in, and which one a folder is read as."""

from difflib import get_close_matches
from pathlib import Path

from pocketdet.data.dataset import FORMATS, Dataset, Format
from pocketdet.data.formats.coco_reader import is_coco, read_coco
from pocketdet.data.formats.coco_writer import write_coco
from pocketdet.data.formats.losses import Losses
from pocketdet.data.formats.voc_reader import is_voc, read_voc
from pocketdet.data.formats.voc_writer import write_voc
from pocketdet.data.formats.yolo_reader import is_yolo, read_yolo
from pocketdet.data.formats.yolo_writer import write_yolo
from pocketdet.data.progress import Progress, silent
from pocketdet.data.whole_folder import whole_folder

RECOGNISERS = {"voc": is_voc, "coco": is_coco, "yolo": is_yolo}
READERS = {"voc": read_voc, "coco": read_coco, "yolo": read_yolo}
WRITERS = {"voc": write_voc, "coco": write_coco, "yolo": write_yolo}


def known_format(name: str) -> Format:
    """Give the format of this name; another name raises `ValueError`."""
    for known in FORMATS:
        if known == name:
            return known
    close = get_close_matches(name.lower(), FORMATS, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    raise ValueError(f"`{name}` is no format; there are {', '.join(FORMATS)}.{hint}")


def formats_of(path: Path) -> list[Format]:
    """Give every format that the folder could be read as, the preferred one first."""
    return [name for name in FORMATS if RECOGNISERS[name](path)]


def detect_format(path: Path) -> Format:
    """Say what the folder is read as when nobody says.

    Where several fit, VOC goes before COCO and COCO before YOLO: the format that can hold
    more (difficult and crowd flags, pixels instead of rounded shares) is the better source.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder.")
    found = formats_of(path)
    if found:
        return found[0]
    below = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    deeper = [folder for folder in below if formats_of(folder)]
    hint = f" Did you mean {deeper[0]}?" if deeper else ""
    raise ValueError(
        f"{path} holds no data set: no Annotations folder (voc), no JSON file (coco) and no "
        f"data.yaml (yolo).{hint}"
    )


def read_dataset(
    path: Path | str, *, format: str | None = None, progress: Progress = silent
) -> Dataset:
    """Read a folder as it is: faulty boxes stay in it, images stay on disk.

    `format` is detected where it is not given. What cannot be read is listed in
    `Dataset.faults`; only when nothing sensible can be read is it a `ValueError`.
    """
    root = Path(path)
    if root.is_file() and root.suffix in (".yaml", ".yml"):
        root, format = root.parent, format or "yolo"
    chosen = detect_format(root) if format is None else known_format(format)
    if not RECOGNISERS[chosen](root):
        detect_format(root)
        raise ValueError(
            f"{root} cannot be read as `{chosen}`; it looks like "
            f"{' or '.join(f'`{name}`' for name in formats_of(root))}."
        )
    return READERS[chosen](root, progress=progress)


def write_dataset(
    dataset: Dataset, path: Path | str, format: str, *, progress: Progress = silent
) -> Losses:
    """Write a data set to a new folder, and tell what the format could not hold.

    It is written beside the folder under another name, which is renamed at the end, so the
    folder is whole or absent. Images are hard-linked where that is possible, else copied.
    """
    write = WRITERS[known_format(format)]
    with whole_folder(Path(path)) as folder:
        return write(dataset, folder, progress=progress)
