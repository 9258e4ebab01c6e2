"""Data sets that can be downloaded: where from, and how to tell that they came whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from pocketdet.data.dataset import Traits


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file to download.

    - `urls`: its addresses, tried in this order;
    - `file_name`: ends in .zip or .tar;
    - `num_bytes`: its size; `md5`: its checksum in hexadecimal; None where nobody can know.
    """

    urls: tuple[str, ...]
    file_name: str
    num_bytes: int | None = None
    md5: str | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set on the network.

    - `inside`: the folder in the archives that becomes the data set, "" for all of it;
    - `num_files`: how many files each sub-folder holds in the end;
    - `traits`: what the set says about itself.
    """

    name: str
    archives: tuple[Archive, ...]
    inside: str = ""
    num_files: Mapping[str, int] = field(default_factory=dict[str, int])
    traits: Traits = Traits()


# The last commit of the repository. GitHub packs it anew now and then, so its bytes have no
# lasting checksum: the zip's own checksums and the numbers of files are what is checked.
BCCD_COMMIT = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"

BCCD = Source(
    name="bccd",
    archives=(
        Archive(
            urls=(f"https://github.com/Shenggan/BCCD_Dataset/archive/{BCCD_COMMIT}.zip",),
            file_name="BCCD_Dataset.zip",
        ),
    ),
    inside=f"BCCD_Dataset-{BCCD_COMMIT}/BCCD",
    num_files={"Annotations": 364, "JPEGImages": 364, "ImageSets/Main": 4},
)


def _voc_archive(year: int, file_name: str, num_bytes: int, md5: str) -> Archive:
    """Give an archive of the PASCAL VOC project; its md5 makes the last, private mirror safe."""
    official = f"pascal/VOC/voc{year}/{file_name}"
    return Archive(
        urls=(
            f"http://host.robots.ox.ac.uk/{official}",
            f"https://thor.robots.ox.ac.uk/{official}",
            f"https://data.pjreddie.com/files/{file_name}",
        ),
        file_name=file_name,
        num_bytes=num_bytes,
        md5=md5,
    )


VOC2007 = Source(
    name="voc2007",
    archives=(
        _voc_archive(
            2007, "VOCtrainval_06-Nov-2007.tar", 460_032_000, "c52e279531787c972589f7e41ab4ae64"
        ),
        _voc_archive(
            2007, "VOCtest_06-Nov-2007.tar", 451_020_800, "b6e924de25625d8de591ea690078ad9f"
        ),
    ),
    inside="VOCdevkit/VOC2007",
    num_files={"Annotations": 9963, "JPEGImages": 9963},
    traits=Traits(first_pixel=1),
)

VOC2012 = Source(
    name="voc2012",
    archives=(
        _voc_archive(
            2012, "VOCtrainval_11-May-2012.tar", 1_999_639_040, "6cd6e144f989b92b3379bac3b3de84fd"
        ),
    ),
    inside="VOCdevkit/VOC2012",
    num_files={"Annotations": 17125, "JPEGImages": 17125},
    traits=Traits(first_pixel=1),
)

# COCO itself publishes no checksums. These stand in PaddleDetection's table of data sets, and
# many others found the same ones.
COCO2017 = Source(
    name="coco2017",
    archives=(
        Archive(
            urls=("http://images.cocodataset.org/annotations/annotations_trainval2017.zip",),
            file_name="annotations_trainval2017.zip",
            num_bytes=252_907_541,
            md5="f4bbac642086de4f52a3fdda2de5fa2c",
        ),
        Archive(
            urls=("http://images.cocodataset.org/zips/val2017.zip",),
            file_name="val2017.zip",
            num_bytes=815_585_330,
            md5="442b8da7639aecaf257c1dceb8ba8c80",
        ),
        Archive(
            urls=("http://images.cocodataset.org/zips/train2017.zip",),
            file_name="train2017.zip",
            num_bytes=19_336_861_798,
            md5="cced6f7f71b7629ddf16f17bbcfab6b2",
        ),
    ),
    num_files={"annotations": 6, "train2017": 118287, "val2017": 5000},
)

SOURCES = (BCCD, VOC2007, VOC2012, COCO2017)


def find_source(name: str) -> Source:
    """Give the source of this name; another name raises `ValueError`."""
    by_name = {source.name: source for source in SOURCES}
    if name in by_name:
        return by_name[name]
    close = get_close_matches(name.lower(), by_name, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    raise ValueError(f"`{name}` is no data set to download; there are {', '.join(by_name)}.{hint}")
