"""The picture of a blind bisect: for each round the losses, and where each set lies."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pocketdet.bisect.search import Asked, Progress
from pocketdet.bisect.space import Space
from pocketdet.bisect.training_judge import TrainingJudge

COLOURS = {
    "faulty": "#b00020",
    "healthy": "#0a7a3b",
    "undecided": "#b58900",
    "untestable": "#888888",
}
MOST_SHOWN = 46


def draw_curves(
    progress: Progress, training: TrainingJudge[Any], space: Space[Any]
) -> bytes | None:
    """Draw the rounds as a PNG, a row for each; None where nothing was trained.

    On the left the training losses of the first seed, on the right the places between the two
    ends that the judgements found. Nothing is trained for it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rounds = _trained_rounds(progress)
    if not rounds:
        return None
    heights = [max(2.6, 0.8 + 0.34 * len(judged)) for judged in rounds]
    figure = Figure(figsize=(12, sum(heights)), layout="constrained")
    grid = figure.subplots(len(rounds), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (left, right), judged in zip(grid, rounds, strict=True):
        _draw_losses(left, judged, training, space)
        _draw_places(right, judged)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _trained_rounds(progress: Progress) -> list[list[Asked]]:
    rounds: dict[int, list[Asked]] = {}
    for one in progress.asked:
        if "steps" in one.judgement.measured:
            rounds.setdefault(one.round, []).append(one)
    return list(rounds.values())


def _draw_losses(
    axes: Any, judged: Sequence[Asked], training: TrainingJudge[Any], space: Space[Any]
) -> None:
    opening, *_ = judged
    steps = opening.judgement.measured["steps"]
    for one in reversed(judged):
        config = space.make(one.changes)
        verdict = one.judgement.verdict.value
        width = 2.2 if one is opening else 1.0
        label = f"{_whole(opening)}: {verdict}" if one is opening else None
        _draw_loss(axes, training, config, steps, color=COLOURS[verdict], lw=width, label=label)
    _draw_loss(
        axes, training, training.healthy, steps, color="black", lw=2.2, label="the healthy end"
    )
    axes.set_xlabel("step")
    axes.set_ylabel("training loss, first seed")
    axes.set_title(f"Round {opening.round}", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8)


def _draw_loss(
    axes: Any, training: TrainingJudge[Any], config: Any, steps: int, **style: Any
) -> None:
    (result,) = training.trainer([(config, 0)], steps=steps)
    axes.plot(
        [row["step"] for row in result.history], [row["loss"] for row in result.history], **style
    )


def _draw_places(axes: Any, judged: Sequence[Asked]) -> None:
    """Put each judgement on the way from healthy to faulty; what has no place gets a mark."""
    opening, *_ = judged
    for height, one in enumerate(judged):
        found, verdict = one.judgement.measured, one.judgement.verdict.value
        place, error = found.get("position"), found.get("error", 0.0)
        if place is None:
            place = 1.0 if one.judgement.is_faulty else 0.0
        axes.errorbar([place], [height], xerr=[error], fmt="o", capsize=3, color=COLOURS[verdict])
    axes.set_yticks(
        range(len(judged)),
        [_whole(one) if one is opening else _names(one) for one in judged],
        fontsize=7,
    )
    axes.invert_yaxis()
    axes.axvline(opening.judgement.measured.get("limit", 0.5), color="grey", lw=0.8, ls=":")
    axes.set_xticks([0, 1], ["healthy", "faulty"])
    axes.set_title(_measure(opening), loc="left", fontsize=9)


def _measure(opening: Asked) -> str:
    found = opening.judgement.measured
    if "unmoved" in found:
        return f"judged by weights that do not learn in {found['steps']} steps"
    if "signal" in found:
        return f"judged by {found['signal']} after {found['steps']} steps"
    return f"judged by divergence within {found['steps']} steps"


def _whole(opening: Asked) -> str:
    return "the altered end" if opening.round == 1 else "the rest"


def _names(one: Asked) -> str:
    text = ", ".join(change.field for change in one.changes) or "none"
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
