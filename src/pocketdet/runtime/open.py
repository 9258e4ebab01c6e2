"""Open an exported file by its name's end."""

from collections.abc import Callable
from pathlib import Path

from pocketdet.runtime.card import Card, RuntimeName
from pocketdet.runtime.card_file import read_card
from pocketdet.runtime.runner import Runner, Session

SUFFIXES: dict[str, RuntimeName] = {
    ".onnx": "onnx",
    ".xml": "openvino",
    ".param": "ncnn",
    ".tflite": "litert",
    ".pte": "executorch",
    ".pt2": "torch",
}

OpenSession = Callable[[Path, Card, int], Session]


def is_exported_file(path: Path | str) -> bool:
    """Say whether a name ends as an exported file's does."""
    return Path(path).suffix in SUFFIXES


def open_runner(path: Path | str, *, threads: int = 1, card: Card | None = None) -> Runner:
    """Load an exported file with its card, to run on `threads` threads of the CPU.

    `card` replaces the one that lies beside the file. A file that does not exist, has no card, or
    whose runtime is not installed raises `ValueError`.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"`{path}` must end in one of {', '.join(SUFFIXES)}; got {path.suffix or 'no end'!r}."
        )
    if not path.is_file():
        raise ValueError(f"`{path}` must be an exported file; there is no such file.")
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1; got {threads}.")
    runtime = SUFFIXES[path.suffix]
    card = card or read_card(path)
    if card.runtime != runtime:
        raise ValueError(f"The card of {path} is for {card.runtime}, and the file is {runtime}'s.")
    return Runner(_loaded(path, card, threads), card)


def _loaded(path: Path, card: Card, threads: int) -> Session:
    open_session = _opener(card.runtime)
    try:
        return open_session(path, card, threads)
    except ValueError:
        raise
    except Exception as error:  # Each runtime has exceptions of its own.
        said = (str(error).strip().splitlines() or ["it does not say why"])[-1].strip()
        raise ValueError(
            f"`{path}` cannot be loaded by {card.runtime}: it is damaged, or no file of that "
            f"runtime ({said})."
        ) from error


def _opener(runtime: RuntimeName) -> OpenSession:
    match runtime:
        case "onnx":
            from pocketdet.runtime.sessions.onnx import open_session
        case "openvino":
            from pocketdet.runtime.sessions.openvino import open_session
        case "ncnn":
            from pocketdet.runtime.sessions.ncnn import open_session
        case "litert":
            from pocketdet.runtime.sessions.litert import open_session
        case "executorch":
            from pocketdet.runtime.sessions.executorch import open_session
        case "torch":
            from pocketdet.runtime.sessions.torch import open_session
    return open_session
