"""Networks that others wrote, unmodified, small and with random weights; and our own recipes.

Nothing is downloaded: each comes from a small config. `WILD` maps a name to what builds its
patient; transformers is imported when the first of them is built.
"""

from seeded.wild import detectors, ours, pictures, texts
from seeded.wild.build import WILD

__all__ = ["WILD", "detectors", "ours", "pictures", "texts"]
