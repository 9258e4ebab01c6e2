"""The page about a bisect: one file, with its picture in it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

from pocketdet.bisect.search import Progress
from pocketdet.bisect.space import Space
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.edit.config_changes import Change

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
padding: .35rem .6rem; border-bottom: 1px solid #ddd } code { background: #f4f4f4; padding: 0 .2rem
} .faulty { color: #b00020 } .healthy { color: #0a7a3b } .untestable, .undecided { color: #8a6d00 }
img { max-width: 100% } .guilty { border-left: 4px solid #b00020; padding-left: 1rem }
"""

COLOURS = {"faulty": "#b00020", "healthy": "#0a7a3b", "undecided": "#8a6d00"}


def page(data: Mapping[str, Any], curves: bytes | None) -> str:
    """Write the page of a result's plain data."""
    title = f"{data['healthy']} → {data['altered']}"
    parts = [
        f"<h1>Bisect: {escape(title)}</h1>",
        f"<p>{escape(_summary(data))}</p>",
        "<h2>Guilty</h2>",
        *_guilty(data),
        *_findings(data["findings"]),
        "<h2>Judgements</h2>",
        _table(data["judgements"]),
    ]
    if curves is not None:
        picture = base64.b64encode(curves).decode()
        parts += ["<h2>Curves</h2>", f'<img alt="losses" src="data:image/png;base64,{picture}">']
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _summary(data: Mapping[str, Any]) -> str:
    return (
        f"{data['num_judgements']} judgements by `{data['judge']}` on {data['data']}, "
        f"{data['minutes']:g} minutes. {data['ended']}"
    )


def _guilty(data: Mapping[str, Any]) -> Iterable[str]:
    if not data["guilty"]:
        smallest = [_change_text(change) for change in data["smallest_so_far"]]
        yield "<p>None found" + (
            f"; the smallest faulty set so far: {_codes(smallest)}.</p>" if smallest else ".</p>"
        )
    for guilty in data["guilty"]:
        names = _codes([_change_text(change) for change in guilty["changes"]])
        together = " (faulty only together)" if len(guilty["changes"]) > 1 else ""
        yield f'<div class="guilty"><p>{names}{together}<br>{escape(guilty["why"])}</p></div>'
    if data["mended"] is not None:
        yield "<p>Without them: <code>mended.yaml</code>, beside this page.</p>"


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if findings:
        yield "<h2>What the doctor says of the altered end</h2>"
    for finding in findings:
        place = " ".join(str(finding[name]) for name in ("where", "source") if finding[name])
        yield (
            f'<p><b class="faulty">{escape(finding["check"])}</b> <code>{escape(place)}</code><br>'
            f"{escape(finding['evidence'])}<br>{escape(finding['remedy'])}</p>"
        )


def _table(judgements: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"<tr><td>{place}</td><td>{one['round']}</td><td>{_codes(one['changes'])}</td>"
        f'<td class="{one["verdict"]}">{one["verdict"]}</td><td>{escape(one["why"])}</td>'
        f"<td>{one['seconds']:.0f}</td></tr>"
        for place, one in enumerate(judgements, start=1)
    ]
    head = "".join(f"<th>{name}</th>" for name in ("", "round", "changes", "verdict", "why", "s"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _codes(texts: Sequence[str]) -> str:
    return "<br>".join(f"<code>{escape(text)}</code>" for text in texts) or "none"


def _change_text(change: Mapping[str, Any]) -> str:
    return str(Change(**change))


def draw_curves(
    progress: Progress, training: TrainingJudge[Any], space: Space[Any]
) -> bytes | None:
    """Draw the training loss of both ends and of every set that was trained, as a PNG.

    The curves are those of the first seed; nothing is trained for them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    trained = [one for one in progress.asked if "steps" in one.judgement.measured]
    if not trained:
        return None
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    ends = trained[0].judgement.measured["steps"]
    curves = [(training.healthy, ends, "healthy", 2.2)]
    curves += [
        (space.make(one.changes), one.judgement.measured["steps"], one.judgement.verdict.value, 1.0)
        for one in trained
    ]
    for config, steps, verdict, width in curves:
        result = training.trainer(config, seed=0, steps=steps)
        axes.plot(
            [row["step"] for row in result.history],
            [row["loss"] for row in result.history],
            color=COLOURS.get(verdict, "#888888"),
            linewidth=width,
        )
    axes.set_xlabel("step")
    axes.set_ylabel("training loss, seed 1")
    axes.set_title("green: judged healthy (thick: the healthy end); red: judged faulty")
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
