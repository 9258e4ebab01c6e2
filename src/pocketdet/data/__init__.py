"""Data sets: their formats, what is wrong with them, the built-in one, and the way to batches.

- `dataset.py`: what a data set is; `open.py` opens one by its folder or name;
- `formats/`: Pascal VOC, COCO and YOLO, read, written and converted;
- `checking/` finds what is wrong, `repair.py` makes samples fit to train on;
- `digits/`: the built-in set; `downloads/`: public ones;
- `augment/`, `loading/`: from samples to batches.

Nothing here prints; long work takes a `Progress`.
"""
