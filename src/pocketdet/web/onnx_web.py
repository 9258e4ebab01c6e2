"""ONNX Runtime for browsers: fetched once by npm, checked, kept, and served from here."""

import base64
import hashlib
from pathlib import Path
import shutil
import subprocess
import tarfile
from tempfile import TemporaryDirectory

from pocketdet.data.cache_folder import cache_folder

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""SHA-512 of the package's archive, as the registry states it."""

FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def onnx_web_files() -> list[Path]:
    """Give the files that a page needs; they are fetched on first use.

    What npm brings must have the checksum that stands here; else it is `ValueError`.
    """
    folder = cache_folder() / f"{PACKAGE}-{VERSION}"
    files = [folder / name for name in FILES]
    if not all(file.is_file() for file in files):
        with TemporaryDirectory() as temporary:
            unpack(fetch(Path(temporary)), folder)
    return files


def fetch(folder: Path) -> Path:
    """Have npm put the package's archive into a folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"The page needs {PACKAGE} {VERSION}, which `npm` fetches once; `npm` is not installed."
        )
    done = subprocess.run(
        [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise ValueError(f"`npm pack {PACKAGE}@{VERSION}` failed: {last}")
    return archives[0]


def unpack(archive: Path, folder: Path) -> None:
    """Check an archive and take out of it what a page needs."""
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise ValueError(
            f"{archive.name} must have the SHA-512 {INTEGRITY[:12]}…; it has {digest[:12]}…, so it "
            f"is not {PACKAGE} {VERSION} as it was published."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as files:
        for name in FILES:
            content = files.extractfile(f"package/dist/{name}")
            if content is None:
                raise ValueError(f"{archive.name} must have dist/{name}; it has none.")
            partial = folder / f".{name}.partial"
            partial.write_bytes(content.read())
            partial.replace(folder / name)
