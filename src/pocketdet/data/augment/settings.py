"""How strongly training pictures are altered: every probability and range, in one value."""

from dataclasses import dataclass
from difflib import get_close_matches

from pocketdet.conventions.input_contract import INTERPOLATIONS, Interpolation

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Augmentation for training; the defaults are Pelee's for COCO, which are SSD's.

    Liu et al. 2016 (arXiv 1512.02325, section 2.2) and Wang et al. 2018 (arXiv 1804.06882).

    Expand, which makes objects smaller:

    - `expand_probability`; `expand_max`: sides of the canvas, up to this many times the picture's.

    Crop, which makes them larger. One sampler of `crop_min_ious` is chosen at random among those
    that find a crop:

    - `crop_min_ious`: None is the whole picture; a number is a crop that overlaps at least one
      box by this IoU; 0 is any crop that holds the centre of a box. A sampler that stands
      there twice is chosen twice as often; an empty tuple never crops;
    - `crop_scale`: sides relative to the picture's; `crop_aspect`: width by height, relative to
      the picture's; `crop_trials`: crops tried by one sampler.

    Photometric, each with `photometric_probability`:

    - `brightness`: added, up to this much of 255; `contrast`, `saturation`: factors;
    - `hue`: turned by up to this many degrees.

    The rest:

    - `flip_probability`: of a mirrored picture, where the data set stands it;
    - `interpolations`: one is drawn for each picture; empty for the input contract's own;
    - `min_box`: boxes that end narrower or lower than this many input pixels are left out.
    """

    expand_probability: float = 0.5
    expand_max: float = 4.0
    crop_min_ious: tuple[float | None, ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
    crop_scale: Range = (0.3, 1.0)
    crop_aspect: Range = (0.5, 2.0)
    crop_trials: int = 50
    photometric_probability: float = 0.5
    brightness: float = 32.0
    contrast: Range = (0.5, 1.5)
    saturation: Range = (0.5, 1.5)
    hue: float = 18.0
    flip_probability: float = 0.5
    interpolations: tuple[Interpolation, ...] = (
        "linear",
        "area",
        "nearest",
        "cubic",
        "lanczos",
    )
    min_box: float = 2.0

    def __post_init__(self) -> None:
        for name in ("expand_probability", "photometric_probability", "flip_probability"):
            _check(name, getattr(self, name), low=0.0, high=1.0)
        for iou in self.crop_min_ious:
            _check("crop_min_ious", 0.0 if iou is None else iou, low=0.0, high=1.0)
        for name in ("crop_scale", "crop_aspect", "contrast", "saturation"):
            _check_range(name, getattr(self, name))
        _check("crop_scale", self.crop_scale[1], low=0.0, high=1.0)
        _check("expand_max", self.expand_max, low=1.0)
        _check("crop_trials", self.crop_trials, low=1)
        _check("brightness", self.brightness, low=0.0, high=255.0)
        _check("hue", self.hue, low=0.0, high=180.0)
        _check("min_box", self.min_box, low=0.0)
        _check_interpolations(self.interpolations)


def _check(name: str, value: float, *, low: float, high: float = float("inf")) -> None:
    if not low <= value <= high:
        end = f" and at most {high:g}" if high != float("inf") else ""
        raise ValueError(f"`{name}` must be at least {low:g}{end}; got {value!r}.")


def _check_range(name: str, value: Range) -> None:
    if len(value) != 2 or not 0 < value[0] <= value[1]:
        raise ValueError(
            f"`{name}` must be a smallest and a largest number above 0; got {value!r}."
        )


def _check_interpolations(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in INTERPOLATIONS:
            close = get_close_matches(str(name), INTERPOLATIONS, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            raise ValueError(
                f"`interpolations` must be of {', '.join(INTERPOLATIONS)}; got {name!r}.{hint}"
            )


PELEE_AUGMENT = AugmentSettings()

# Expanding by 4 leaves objects of a few pixels at 160, which a short training never learns.
LIGHT_AUGMENT = AugmentSettings(
    expand_probability=0.3,
    expand_max=1.5,
    crop_min_ious=(None, None, 0.5, 0.7, 0.9, 0.0),
    crop_scale=(0.5, 1.0),
    interpolations=("linear", "cubic", "nearest"),
)

NO_AUGMENT = AugmentSettings(
    expand_probability=0.0,
    crop_min_ious=(),
    photometric_probability=0.0,
    flip_probability=0.0,
    interpolations=(),
    min_box=0.0,
)
