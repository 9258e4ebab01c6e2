"""What can be wrong with a labelled data set, and what training does about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ProblemKind:
    """One kind of fault.

    - `name`: as it stands in tables and JSON;
    - `is_error`: False for a note, which leaves `data check` at exit code 0;
    - `meaning`: what it is; `training`: what training does about it.
    """

    name: str
    is_error: bool = True
    meaning: str
    training: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault in one place.

    - `split`: the first split in which it was seen, or "" for the whole set;
    - `file`: the image, annotation or list that it is in;
    - `box`: the box's place in its image, counted from 0, or None;
    - `detail`: the numbers or names that show it.
    """

    kind: ProblemKind
    split: str
    file: Path
    box: int | None = None
    detail: str = ""

    def file_below(self, root: Path) -> str:
        """Name the file as seen from `root`."""
        inside = self.file.is_relative_to(root)
        return (self.file.relative_to(root) if inside else self.file).as_posix()

    def where(self, root: Path) -> str:
        """Name the file as seen from `root`, and the box in it."""
        file = self.file_below(root)
        return file if self.box is None else f"{file} box {self.box}"


MALFORMED = ProblemKind(
    name="malformed annotation",
    meaning="A file, line or entry that does not parse.",
    training="leaves out what does not parse",
)
MISSING_ANNOTATION = ProblemKind(
    name="missing annotation",
    meaning="A split lists an image that has no annotation file.",
    training="leaves the image out",
)
MISSING_IMAGE = ProblemKind(
    name="missing image",
    meaning="An annotation without its image file.",
    training="leaves the image out",
)
DAMAGED_IMAGE = ProblemKind(
    name="damaged image",
    meaning="An image file that does not decode to its end.",
    training="leaves the image out",
)
NOT_A_NUMBER = ProblemKind(
    name="not a number",
    meaning="A coordinate that is no finite number.",
    training="leaves the box out",
)
ZERO_AREA = ProblemKind(
    name="zero area",
    meaning="A box without width or without height.",
    training="leaves the box out",
)
NEGATIVE_AREA = ProblemKind(
    name="negative area",
    meaning="Left and right, or top and bottom, are swapped.",
    training="swaps them back",
)
SWAPPED_CORNERS = ProblemKind(
    name="swapped corners",
    meaning="The top left and the bottom right corner are swapped.",
    training="swaps them back",
)
PARTLY_OUTSIDE = ProblemKind(
    name="partly outside",
    meaning="A box that reaches over the image's border.",
    training="clips the box",
)
WHOLLY_OUTSIDE = ProblemKind(
    name="wholly outside",
    meaning="A box that has no part in its image.",
    training="leaves the box out",
)
DUPLICATE_BOX = ProblemKind(
    name="duplicate box",
    meaning="The same class and coordinates twice in one image.",
    training="keeps one of them",
)
UNKNOWN_CLASS = ProblemKind(
    name="unknown class",
    meaning="A box whose class is not in the class list.",
    training="leaves the box out",
)
UNUSED_CLASS = ProblemKind(
    name="unused class",
    meaning="A class of the list that no box in any split has.",
    training="trains an output that is never right; its AP is undefined",
)
WRONG_SIZE = ProblemKind(
    name="wrong image size",
    meaning="The annotation gives another size than the image has.",
    training="takes the image's size, and boxes as pixels of it",
)
EXIF_ROTATION = ProblemKind(
    name="EXIF rotation",
    meaning="The image asks viewers to rotate it; boxes may be made for either.",
    training="takes the stored pixels, unrotated",
)
DUPLICATE_IMAGE = ProblemKind(
    name="duplicate image",
    meaning="The same image twice in one split.",
    training="trains on both",
)
SAME_IMAGE_IN_TWO_SPLITS = ProblemKind(
    name="same image in two splits",
    meaning="An image to learn from is also one to be judged on.",
    training="changes nothing; the AP will be too good",
)
COLLIDING_IDS = ProblemKind(
    name="colliding ids",
    meaning="Two images, annotations or categories go by one id.",
    training="takes the first image of that id; keeps all boxes",
)
CATEGORY_IDS_DIFFER = ProblemKind(
    name="category ids differ",
    meaning="The splits' files number the classes differently.",
    training="goes by the names",
)
NO_BOX = ProblemKind(
    name="image without a box",
    is_error=False,
    meaning="An image in which nothing is labelled.",
    training="learns background from it",
)

# In the order of the table: what costs most comes first.
PROBLEM_KINDS = (
    MALFORMED,
    MISSING_ANNOTATION,
    MISSING_IMAGE,
    DAMAGED_IMAGE,
    NOT_A_NUMBER,
    ZERO_AREA,
    NEGATIVE_AREA,
    SWAPPED_CORNERS,
    WHOLLY_OUTSIDE,
    PARTLY_OUTSIDE,
    UNKNOWN_CLASS,
    UNUSED_CLASS,
    WRONG_SIZE,
    EXIF_ROTATION,
    SAME_IMAGE_IN_TWO_SPLITS,
    DUPLICATE_IMAGE,
    DUPLICATE_BOX,
    COLLIDING_IDS,
    CATEGORY_IDS_DIFFER,
    NO_BOX,
)

# What a reader could make no sample or box of; it is listed in `Dataset.faults` only.
UNREAD_KINDS = (MALFORMED, MISSING_ANNOTATION, MISSING_IMAGE, DAMAGED_IMAGE)
