"""What killed processes leave half made."""

from pathlib import Path
import shutil
import time


def remove_abandoned(folder: Path, *, older_than: float) -> None:
    """Remove temporary folders that `whole_folder` once began for `folder`.

    `older_than` is in seconds: a younger one may be another process's, at work just now.
    """
    for partial in folder.parent.glob(f".{folder.name}.partial-*"):
        if time.time() - partial.stat().st_mtime > older_than:
            shutil.rmtree(partial, ignore_errors=True)
