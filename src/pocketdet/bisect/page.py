"""The page about a bisect: one file, with its picture in it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from pocketdet.edit.config_changes import Change

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
color: #222 } h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
padding: .35rem .6rem; border-bottom: 1px solid #ddd } td.number { text-align: right }
code, pre { background: #f4f4f4; padding: 0 .2rem; overflow-wrap: anywhere } pre { padding: .6rem;
white-space: pre-wrap } .faulty { color: #b00020 } .healthy { color: #0a7a3b } .untestable,
.undecided { color: #8a6d00 } img { max-width: 100% } .guilty { border-left: 4px solid #b00020;
padding: .1rem 1rem; margin: 1rem 0; display: flex; flex-wrap: wrap; gap: 0 2rem }
.guilty > div { flex: 1 1 22rem } .small { color: #666; font-size: .9em }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } code, pre {
background: #2a2a2a } td, th { border-color: #444 } img { background: white } .faulty {
color: #ff6b81 } .healthy { color: #5fd38d } .undecided, .untestable { color: #e0b84c } }
"""


def page(data: Mapping[str, Any], *, curves: bytes | None, mended: str | None) -> str:
    """Write the page of a result's plain data; `mended` is the text of the mending config."""
    title = f"{data['healthy']} → {data['altered']}"
    parts = [
        f"<h1>Bisect: {escape(title)}</h1>",
        f"<p>{escape(_summary(data))}</p>",
        "<h2>Guilty</h2>",
        *_guilty(data),
        *_mended(mended),
        *_findings(_not_shown(data)),
        *_changes(data),
        "<h2>Judgements</h2>",
        _table(data["judgements"]),
    ]
    if curves is not None:
        picture = base64.b64encode(curves).decode()
        parts += ["<h2>Trainings</h2>", f'<img alt="" src="data:image/png;base64,{picture}">']
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _summary(data: Mapping[str, Any]) -> str:
    return (
        f"{data['num_judgements']} judgements by {data['judge']} on {data['data']}, "
        f"{data['minutes']:g} minutes. {data['ended']}"
    )


def _guilty(data: Mapping[str, Any]) -> Iterable[str]:
    if not data["guilty"]:
        smallest = [_change_text(change) for change in data["smallest_so_far"]]
        yield "<p>None found" + (
            f"; the smallest faulty set so far: {_codes(smallest)}</p>" if smallest else ".</p>"
        )
    for guilty in data["guilty"]:
        names = _codes([_change_text(change) for change in guilty["changes"]])
        together = "<br>faulty only together" if len(guilty["changes"]) > 1 else ""
        doctor = "".join(map(_finding, guilty["findings"]))
        yield (
            f'<div class="guilty"><div><p>{names}{together}<br><span class="small">'
            f"{escape(guilty['why'])}</span></p></div>{f'<div>{doctor}</div>' if doctor else ''}"
            "</div>"
        )
    if data["left_out"]:
        left_out = _codes([_change_text(change) for change in data["left_out"]])
        yield f"<p>Taken out with them, for they cannot be made without them:<br>{left_out}</p>"


def _mended(text: str | None) -> Iterable[str]:
    if text is not None:
        yield "<h2>Without them</h2><p>This is <code>mended.yaml</code>, beside this page.</p>"
        yield f"<pre>{escape(text)}</pre>"


def _not_shown(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the findings of the altered end that stand beside no guilty set."""
    shown = {(f["check"], f["where"]) for one in data["guilty"] for f in one["findings"]}
    return [f for f in data["findings"] if (f["check"], f["where"]) not in shown]


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if findings:
        yield "<h2>What the doctor says of the altered end besides</h2>"
    yield from map(_finding, findings)


def _finding(finding: Mapping[str, Any]) -> str:
    place = " ".join(str(finding[name]) for name in ("where", "source") if finding[name])
    return (
        f'<p><b class="faulty">{escape(finding["check"])}</b> <code>{escape(place)}</code><br>'
        f"{escape(finding['evidence'])}<br>"
        f'<span class="small">{escape(finding["remedy"])}</span></p>'
    )


def _table(judgements: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"<tr><td>{place}</td><td>{one['round']}</td><td>{_named(one)}</td>"
        f'<td class="{one["verdict"]}">{one["verdict"]}</td><td>{escape(one["why"])}</td>'
        f'<td class="number">{one["seconds"]:.0f}</td></tr>'
        for place, one in enumerate(judgements, start=1)
    ]
    head = "".join(f"<th>{name}</th>" for name in ("", "round", "changes", "verdict", "why", "s"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _named(judgement: Mapping[str, Any]) -> str:
    """Name the changes by their fields; what changes there shows on hovering."""
    pairs = zip(judgement["fields"], judgement["changes"], strict=True)
    named = [f'<code title="{escape(text)}">{escape(field)}</code>' for field, text in pairs]
    return " ".join(named) or "none"


def _changes(data: Mapping[str, Any]) -> Iterable[str]:
    if data["judgements"]:
        yield f"<h2>Changes</h2><p>{_codes(data['judgements'][0]['changes'])}</p>"


def _codes(texts: Sequence[str]) -> str:
    return "<br>".join(f"<code>{escape(text)}</code>" for text in texts) or "none"


def _change_text(change: Mapping[str, Any]) -> str:
    return str(Change(**change))
