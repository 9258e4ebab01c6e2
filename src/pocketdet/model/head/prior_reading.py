"""What priors say of the levels that a head with priors reads."""

from pocketdet.model.head.interface import Coverage, LevelShape
from pocketdet.model.priors import PriorLevel


def prior_sources(priors: tuple[PriorLevel, ...]) -> set[int]:
    """Give the levels that the entries read."""
    return {prior.source for prior in priors}


def prior_coverage(
    priors: tuple[PriorLevel, ...], levels: tuple[LevelShape, ...], input_size: tuple[int, int]
) -> tuple[Coverage, ...]:
    """Say, for each entry, from which to which size its squares go, and how many priors it has."""
    side = min(input_size)
    return tuple(
        Coverage(
            source=prior.source,
            smallest=prior.smallest * side,
            largest=prior.largest * side,
            num_places=prior.num_shapes * levels[prior.source].height * levels[prior.source].width,
        )
        for prior in priors
    )
