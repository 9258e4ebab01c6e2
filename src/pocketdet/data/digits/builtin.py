"""The built-in data set `digits`: made once by our own code, no download.

Real handwriting on photographs and textures, 10 classes, sizes from about 12 to 120 pixels.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import subprocess
import sys

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.cache_folder import cache_folder
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.digits.abandoned import remove_abandoned
from pocketdet.data.digits.handwriting import DIGIT_NAMES
from pocketdet.data.digits.scene_worker import DrawnScene, SceneJob
from pocketdet.data.formats.voc_writer import write_voc
from pocketdet.data.progress import Progress
from pocketdet.data.progress_bar import progress_bar
from pocketdet.data.whole_folder import whole_folder

VERSION = 2  # count up when any scene changes: the version is in the folder's name
SCRATCH = ".scenes"
WORKER = "pocketdet.data.digits.scene_worker"
ABANDONED_AFTER = 3600  # seconds; making the set takes a minute


@dataclass(frozen=True, kw_only=True)
class BuiltinSettings:
    """How many scenes each half has, and the seed that they come from."""

    num_train: int = 8000
    num_val: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_train", "num_val"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative; got {self.seed}.")

    @property
    def folder_name(self) -> str:
        counts = f"{self.num_train}-{self.num_val}"
        return f"digits-v{VERSION}-{counts}-seed{self.seed}"


def builtin_dataset(
    *,
    root: Path | None = None,
    settings: BuiltinSettings | None = None,
    num_processes: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Give the folder of the built-in set, which is made first where it does not exist yet.

    It is a Pascal VOC folder with the splits `train` and `val`. The same settings give the same
    bytes, whatever `num_processes` (the number of cores) is.

    - `root`: where the set's own folder lies; the cache folder;
    - `progress`: is told how far the work is; a bar on stderr.
    """
    settings = settings or BuiltinSettings()
    folder = (root or cache_folder()) / settings.folder_name
    if _is_complete(folder):
        return folder
    num_processes = num_processes or os.cpu_count() or 1
    try:
        remove_abandoned(folder, older_than=ABANDONED_AFTER)
        with (
            progress_bar() if progress is None else nullcontext(progress) as tell,
            whole_folder(folder) as partial,
        ):
            _make_set(partial, settings, num_processes, tell)
    except OSError as error:
        if not _is_complete(folder):
            raise OSError(
                f"{folder} cannot be made ({error}); set POCKETDET_CACHE to another folder."
            ) from error
        # Another process made it in the meantime: the same bytes.
    return folder


def _is_complete(folder: Path) -> bool:
    return (folder / "ImageSets").is_dir()  # the folder got its name when it was whole


def _make_set(
    folder: Path, settings: BuiltinSettings, num_processes: int, progress: Progress
) -> None:
    scratch = folder / SCRATCH
    scratch.mkdir()
    total = settings.num_train + settings.num_val
    drawn: list[DrawnScene] = []
    progress("drawing scenes", 0, total)
    with _workers(scratch, settings, num_processes) as scenes:
        for scene in scenes:
            drawn.append(scene)
            progress("drawing scenes", len(drawn), total)
    if len(drawn) != total:
        raise RuntimeError(
            f"A process that draws scenes broke off after {len(drawn)} of {total}; "
            "its own message stands above."
        )
    write_voc(_dataset(drawn, scratch), folder)
    shutil.rmtree(scratch)


@contextmanager
def _workers(
    folder: Path, settings: BuiltinSettings, num_processes: int
) -> Generator[Iterator[DrawnScene], None, None]:
    """Run the workers, who all write lines into one pipe; none outlives the `with`."""
    reading, writing = os.pipe()
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with os.fdopen(reading, "rb") as lines:
            try:
                for share in range(num_processes):
                    job = SceneJob(
                        folder=str(folder.resolve()),
                        num_train=settings.num_train,
                        num_val=settings.num_val,
                        seed=settings.seed,
                        share=share,
                        num_shares=num_processes,
                    )
                    command = [
                        sys.executable,
                        "-m",
                        WORKER,
                        job.to_text(),
                    ]
                    workers.append(subprocess.Popen(command, stdout=writing))
            finally:
                os.close(writing)  # so that the pipe ends when the last worker does
            yield (DrawnScene.from_line(line) for line in lines)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _dataset(drawn: list[DrawnScene], folder: Path) -> Dataset:
    splits: dict[str, list[Sample]] = {"train": [], "val": []}
    for scene in sorted(drawn, key=lambda scene: (scene.half, scene.index)):
        path = folder / scene.file_name
        picture = ImageFile(path, scene.height, scene.width)
        sample = Sample.of(picture, scene.boxes_xyxy, scene.labels, image_id=path.stem)
        splits[scene.half].append(sample)
    return Dataset(
        classes=ClassList.of(DIGIT_NAMES),
        splits=splits,
        traits=Traits(horizontal_flip=False),
        root=folder,
        format="voc",
    )
