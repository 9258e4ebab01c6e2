"""Images that reach a trained network in another form than it was trained on.

## What it finds
The samples' images are read in several ways (red and blue exchanged, 0 to 1 or 0 to 255, with and
without ImageNet's mean and spread), and the mean and spread that the first BatchNorm layers then
see are compared with what these layers have stored. It reports another reading that fits much
better than the images as they are, and images so far off that none was trained on the like of them.

## Why it costs AP
Pretrained weights read foreign images: edges are found and colours are not, or every unit is
saturated. Fine-tuning hides it and ends some points lower; without it AP is near 0.

## Usual causes
- Weights from a library that reads BGR, or 0 to 255, or subtracts the mean only.
- A division by 255 done twice or not at all; mean and spread for 0 to 1 applied to 0 to 255.
- Another input contract in export than in training.

## When it is not a fault
Other images than those of the training (thermal, medical) fit no reading well: within three
spreads the check is then silent. It is not run on networks without BatchNorm, or whose statistics
were never trained.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.first_norms import FirstNorms

FITS = 0.25  # squared spreads a channel: the best reading must fit by itself
BETTER = 4.0  # times nearer than the images as they are
MUCH_BETTER = 16.0
FAR = 1.0  # squared spreads a channel
UNHEARD_OF = 9.0  # squared spreads: other domains stay within three spreads
LEAST = 0.05  # squared spreads: nearer than this, images as they are fit well


def find_foreign_input(first_norms: FirstNorms) -> Iterator[Fault]:
    distances = dict(first_norms.distances)
    own = distances.pop("as they are")
    best = min(distances, key=lambda name: distances[name])
    nearest = distances[best]
    if own >= UNHEARD_OF and nearest > FITS:
        yield from _like_nothing(first_norms, own)
        return
    if own < LEAST or nearest > FITS or own < BETTER * nearest:
        return
    is_clear = own > MUCH_BETTER * nearest and own > FAR
    yield Fault(
        where=first_norms.layer,
        evidence=f"The first BatchNorm layers see the images {own:.2g} squared spreads from "
        f"what they have stored, and {nearest:.2g} {best}.",
        measured={"as_they_are": own, "best": nearest, "reading": best},
        severity=Severity.ERROR if is_clear else Severity.WARNING,
    )


def _like_nothing(first_norms: FirstNorms, own: float) -> Iterator[Fault]:
    """Report images that no network was trained on, in whatever reading."""
    if first_norms.given is not None and first_norms.given < UNHEARD_OF:
        return  # the network was run on something else on purpose, such as noise
    yield Fault(
        where=first_norms.layer,
        evidence=f"The first BatchNorm layers see the images {own:.2g} squared spreads from what "
        "they have stored, and no reading of them that was tried comes near: neither red and blue "
        "exchanged, nor another range, nor ImageNet's mean and spread.",
        measured={"as_they_are": own},
        severity=Severity.WARNING,
    )


CHECK = Check(
    id="foreign-input",
    summary="images in another form than the network was trained on",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Give the network images in the form that its weights were trained on: the same order "
    "of channels, range, mean and spread, in training, evaluation and export.",
    find=find_foreign_input,
)
