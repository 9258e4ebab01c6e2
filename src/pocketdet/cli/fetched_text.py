"""What `pocketdet data get` says in the end."""

import json

from pocketdet.data.downloads.get import Fetched


def fetched_as_text(fetched: Fetched) -> str:
    """Say where the set is, how it was checked, and what to do next."""
    if fetched.was_there:
        lines = [f"{fetched.name} is in {fetched.folder} already."]
    else:
        lines = [f"{fetched.name} is in {fetched.folder}."]
        lines += [f"  checked {check}" for check in fetched.checks]
    return "\n".join([*lines, f"Next: pocketdet data check {fetched.folder}"])


def fetched_as_json(fetched: Fetched) -> str:
    """Give the same as one JSON document."""
    content = {
        "name": fetched.name,
        "folder": str(fetched.folder),
        "was_there": fetched.was_there,
        "checks": list(fetched.checks),
    }
    return json.dumps(content, indent=2)
