"""One small head of each kind, for a detector of three levels with the priors given."""

from pocketdet.model import GFLHead, PeleeHead, PriorLevel, SSDLiteHead
from pocketdet.model.head import Head

PRIORS = (
    PriorLevel(source=0, smallest=0.1, largest=0.25),
    PriorLevel(source=1, smallest=0.25, largest=0.5),
    PriorLevel(source=1, smallest=0.4, largest=0.6),
    PriorLevel(source=2, smallest=0.5, largest=0.9),
)

SMALL_HEADS: dict[str, Head] = {
    "PeleeHead": PeleeHead(channels=16, priors=PRIORS),
    "SSDLiteHead": SSDLiteHead(channels=16, priors=PRIORS),
    "GFLHead": GFLHead(channels=16),
}
