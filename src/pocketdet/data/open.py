"""Open a data set by the name of a built-in one, or by its folder."""

from difflib import get_close_matches
from pathlib import Path

from pocketdet.data.dataset import Dataset
from pocketdet.data.digits.builtin import builtin_dataset
from pocketdet.data.formats.any_format import read_dataset
from pocketdet.data.progress import Progress, silent

DIGITS = "digits"


def open_dataset(
    name_or_path: str | Path, *, format: str | None = None, progress: Progress = silent
) -> Dataset:
    """Open `digits`, which is made on first use, or read a folder.

    A folder of your own that is called `digits` is `./digits`.
    """
    if name_or_path == DIGITS:
        return read_dataset(builtin_dataset(), progress=progress)
    path = Path(name_or_path).expanduser()
    if not path.exists():
        close = get_close_matches(path.name.lower(), [DIGITS], n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        raise ValueError(
            f"`{name_or_path}` is neither a folder nor the built-in set `{DIGITS}`.{hint}"
        )
    return read_dataset(path, format=format, progress=progress)
