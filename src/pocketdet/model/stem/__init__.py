"""The first layers: from a picture to a quarter of its size. One stem a file."""

from pocketdet.model.stem.hgnet import HGStem
from pocketdet.model.stem.patches import FocusStem, PatchStem
from pocketdet.model.stem.pelee import PeleeStem
from pocketdet.model.stem.plain import ConvStem
from pocketdet.model.stem.pooled import PoolStem
from pocketdet.model.stem.protocol import Stem

STEMS = (PeleeStem, ConvStem, PatchStem, FocusStem, PoolStem, HGStem)

__all__ = [
    "STEMS",
    "ConvStem",
    "FocusStem",
    "HGStem",
    "PatchStem",
    "PeleeStem",
    "PoolStem",
    "Stem",
]
