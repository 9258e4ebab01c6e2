"""Sizes of files for people."""


def byte_size(num_bytes: float) -> str:
    """Write a number of bytes as `12.3 MB`, in steps of 1000."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "bytes" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"
