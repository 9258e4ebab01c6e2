"""Whether the values that stand for an object look at it, wherever it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from pocketdet.doctor.following import Following, following, pooled, scaled
from pocketdet.doctor.observations.answers import Answer, channel_axis
from pocketdet.doctor.observations.patches import Patches
from pocketdet.doctor.trace import Trace

LEAST_OBJECTS = 24
APART = 1 / 3  # of the image's side, between objects that are far from each other
SHARED = 0.2  # of the pairs far apart: rows of a query stand for objects anywhere


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswersFollowed:
    """Objects of one size and the values of one output, or of one of its channels, for them.

    `values` has the indices in one sample's flattened output, by object.
    """

    path: str
    size: int
    channel: int | None
    values: list[Tensor]
    boxes_xyxy: Tensor
    following: Following


def answers_followed(
    answers: tuple[Answer, ...], patches: Patches, trace: Trace
) -> tuple[AnswersFollowed, ...]:
    """Compare what values look at, by patches, with the objects that they stand for."""
    return tuple(
        followed
        for path in patches.answers
        for size in sorted({answer.size for answer in answers})
        for followed in _of(path, [a for a in answers if a.size == size], patches, trace)
    )


def _of(
    path: str, answers: Sequence[Answer], patches: Patches, trace: Trace
) -> Iterator[AnswersFollowed]:
    known = [answer for answer in answers if path in answer.values]
    if len(known) < LEAST_OBJECTS or _are_anywhere(path, known, patches):
        return
    every = scaled(patches.answers[path])
    for channel, values in _by_channel(path, known, patches, trace):
        kept = [(a, v) for a, v in zip(known, values, strict=True) if len(v)]
        if len(kept) < LEAST_OBJECTS:
            continue
        boxes = torch.stack([answer.box_xyxy for answer, _ in kept])
        groups = [group for _, group in kept]
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        found = following(pooled(every, groups), middles, patches)
        if found is not None:
            yield AnswersFollowed(
                path=path,
                size=kept[0][0].size,
                channel=channel,
                values=groups,
                boxes_xyxy=boxes,
                following=found,
            )


def _by_channel(
    path: str, answers: Sequence[Answer], patches: Patches, trace: Trace
) -> Iterator[tuple[int | None, list[Tensor]]]:
    values = [answer.values[path] for answer in answers]
    yield None, values
    shape = trace.outputs[path].shape[1:]
    axis = channel_axis(shape, (patches.height, patches.width))
    if axis is None:
        return
    channels = [torch.stack(torch.unravel_index(v, shape))[axis] for v in values]
    for channel in torch.cat(channels).unique().tolist():
        yield channel, [v[c == channel] for v, c in zip(values, channels, strict=True)]


def _are_anywhere(path: str, answers: Sequence[Answer], patches: Patches) -> bool:
    """Say whether objects far apart share values, as those that a query stands for."""
    far = shared = 0
    size = torch.tensor([patches.width, patches.height], dtype=torch.float64)
    for one, other in combinations(answers, 2):
        away = (one.box_xyxy - other.box_xyxy)[:2].abs() / size
        if float(away.max()) > APART:
            far += 1
            shared += bool(torch.isin(one.values[path], other.values[path]).any())
    return shared > SHARED * far
