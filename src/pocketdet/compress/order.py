"""Which steps can follow a quantisation: channels and weights are removed in float."""

from collections.abc import Sequence

from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.planning import Plan
from pocketdet.compress.prune import Prune
from pocketdet.compress.quantize import Quantize
from pocketdet.compress.search import Search
from pocketdet.compress.sparsify import Sparsify
from pocketdet.compress.step import Step
from pocketdet.model import Detector

NEED_FLOAT = (Prune, Sparsify, Quantize, Search, Plan)


def check_order(detector: Detector, steps: Sequence[Step]) -> None:
    """Raise `ValueError` for a chain in which a step in float follows a quantisation.

    So it is said before any step has been performed. Steps of the user's own, and `Distill`, may
    stand anywhere.
    """
    quantised = ""
    for number, step in enumerate(steps, start=1):
        if isinstance(step, NEED_FLOAT):
            check_in_float(detector, step)
            if quantised:
                raise ValueError(
                    f"`how` must have `{_name(step)}` before `quantize`; step {number} is "
                    f"`{_name(step)}`, and {quantised} quantises."
                )
        if isinstance(step, Quantize):
            quantised = f"step {number}"


def _name(step: Step) -> str:
    return type(step).__name__.lower()
