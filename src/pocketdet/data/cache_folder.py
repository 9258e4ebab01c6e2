"""Where pocketdet keeps what it can make again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Give `$POCKETDET_CACHE`, else `$XDG_CACHE_HOME/pocketdet`, else `~/.cache/pocketdet`.

    The folder need not exist yet.
    """
    own = os.environ.get("POCKETDET_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "pocketdet"
