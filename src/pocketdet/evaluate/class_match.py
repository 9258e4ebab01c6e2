"""The labels of a data set, told in a detector's class list."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from pocketdet.conventions import ClassList, Sample


def labels_by_name(
    samples: Sequence[Sample], *, data_classes: ClassList, detector_classes: ClassList
) -> list[Sample]:
    """Give samples whose labels are places in the detector's class list, by the classes' names.

    The data may lack classes of the detector; a class that the detector lacks is a
    `ValueError`.
    """
    places = [_label_of(name, detector_classes) for name in data_classes]
    if places == list(range(len(places))):
        return list(samples)
    place_of = torch.tensor(places)
    return [replace(sample, labels=place_of[sample.labels]) for sample in samples]


def _label_of(name: str, detector_classes: ClassList) -> int:
    try:
        return detector_classes.label_of(name)
    except ValueError as error:
        raise ValueError(f"The data has a class that the detector lacks: {error}") from error
