# SPDX-License-Identifier: Apache-2.0
"""The audit as one HTML page: verdicts, a plot of every measure by group, curves of corruptions, the raw table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from mien._version import __version__
from mien.evaluation.audit.audit import ALPHA, AuditReport, Verdict
from mien.evaluation.audit.crop_jitter import JitterLevel, JitterResult
from mien.evaluation.audit.group_gaps import GroupResult, group_order
from mien.evaluation.audit.robustness import CorruptionResult

_WIDTH, _ROW, _LEFT, _RIGHT = 640, 20, 190, 90
_WORDS = {"within": "within the limit", "above": "above the limit", "unsure": "not sure"}
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --ink: CanvasText; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 0.9em; } td, th { padding: 0.2rem 0.6rem; text-align: left;
border-bottom: 1px solid var(--line); } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.within { color: #157a3c; } .above { color: #c01c28; font-weight: 600; } .unsure { color: #9a6700; }
@media (prefers-color-scheme: dark) { .within { color: #57d38c; } .above { color: #ff7b72; } }
@media (prefers-color-scheme: dark) { .unsure { color: #e3b341; } }
svg text { fill: CanvasText; font: 12px system-ui, sans-serif; } .plot { margin: 1rem 0; }
details { margin: 0.5rem 0; } small { white-space: nowrap; }
code { overflow-wrap: anywhere; } .wide { overflow-x: auto; }
"""


def audit_page(report: AuditReport) -> str:
    """The page; it holds everything it shows and loads nothing.

    Args:
        report: Report of an audit.
    """
    counts = {word: sum(one.verdict == word for one in report.verdicts) for word in _WORDS}
    summary = ", ".join(f"{n} {_WORDS[word]}" for word, n in counts.items())
    n_tests = sum(math.isfinite(one.p) for one in report.results)
    parts = [
        f"<h1>Audit of {escape(report.bundle)}</h1>",
        f"<p>{escape(report.data)}, {report.n} faces. Weights <code>{escape(report.weights)}</code>. "
        f"mien {__version__}.<br><code>{escape(report.command)}</code></p>",
        f"<p><b>{len(report.verdicts)} comparisons: {escape(summary)}.</b> A comparison is above its limit where the "
        "largest gap between a group and all others exceeds it and chance explains it with a probability below "
        f"{ALPHA:g} after Holm's correction over all {n_tests} tests; it is not sure where the gap or its interval "
        "reaches the limit. Intervals are 95 % bootstrap intervals over people.</p>",
        *(f"<p>{escape(note)}</p>" for note in report.notes),
        "<h2>Verdicts</h2>",
        _verdict_table(report.verdicts),
        "<h2>Groups</h2>",
        *_group_plots(report),
    ]
    if report.pairs:
        parts += ["<h2>Rendered pairs that differ in one trait</h2>", _pair_table(report)]
    if report.corruptions:
        parts += [
            "<h2>Corruptions</h2>",
            f"<p>Mean error over seven corruptions in five strengths: {report.mean_corruption_error:.3f}. An error is "
            "another top expression than the label or, where there is none, than that of the plain image.</p>",
            _curve_plot(report.corruptions),
        ]
    if report.jitters:
        parts += [
            "<h2>Small changes of the crop</h2>",
            f"<p>Mean change of the predictions over {report.jitters[0].changes[0].n} faces and the directions of each "
            "change, with 95 % bootstrap intervals over people: the share of faces with another top expression, the "
            "total variation distance of the probabilities, and absolute differences.</p>",
            *_jitter_tables(report.jitters),
        ]
    parts += ["<h2>Raw table</h2>", _raw_table(report.results)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {escape(report.bundle)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _verdict_table(verdicts: Sequence[Verdict]) -> str:
    order = {"above": 0, "unsure": 1, "within": 2}
    rows = []
    for one in sorted(verdicts, key=lambda each: (order[each.verdict], -abs(each.gap) / each.limit)):
        p = "" if not math.isfinite(one.p_holm) else f"{one.p_holm:.3g}"
        rows.append(
            f'<tr><td class="{one.verdict}">{_WORDS[one.verdict]}</td><td title="{escape(one.meaning)}">'
            f"{escape(one.measure)}</td><td>{escape(one.column)}</td><td>{escape(one.group)}</td>"
            f'<td class="n">{one.gap:+.3f}</td><td class="n">{one.low:+.3f} to {one.high:+.3f}</td>'
            f'<td class="n">{one.limit:g}</td><td class="n">{p}</td></tr>'
        )
    head = "".join(
        f"<th>{name}</th>"
        for name in ("verdict", "measure", "column", "largest gap: group", "gap", "interval", "limit", "p (Holm)")
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _group_plots(report: AuditReport) -> list[str]:
    meanings = {one.measure: one.meaning for one in report.verdicts}
    plots = []
    for measure in dict.fromkeys(one.measure for one in report.results):
        own = [one for one in report.results if one.measure == measure]
        meaning = meanings.get(measure, "")
        plots.append(f'<div class="plot"><p><b>{escape(measure)}</b>: {escape(meaning)}</p>{_dot_plot(own)}</div>')
    return plots


def _dot_plot(results: Sequence[GroupResult]) -> str:
    """Values of groups with their intervals, one line a group."""
    known = [one for one in results if math.isfinite(one.value)]
    if not known:
        return "<p>not measured</p>"
    ends = [value for one in known for value in (one.low, one.high, one.value) if math.isfinite(value)]
    low, high = min(ends), max(ends)
    pad = max((high - low) * 0.05, 1e-3)
    low, high = low - pad, high + pad

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    lines, y = [], 14.0
    columns = list(dict.fromkeys(one.column for one in known))
    for number, column in enumerate(columns):
        colour = _COLOURS[number % len(_COLOURS)]
        for one in sorted((each for each in known if each.column == column), key=lambda each: group_order(each.group)):
            bold = ' font-weight="600"' if one.p_holm < ALPHA else ""
            lines.append(
                f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end"{bold}>{escape(one.column)} '
                f"{escape(one.group)}</text>"
                f'<line x1="{x(one.low):.1f}" x2="{x(one.high):.1f}" y1="{y:.0f}" y2="{y:.0f}" stroke="{colour}" '
                'stroke-width="2"/>'
                f'<circle cx="{x(one.value):.1f}" cy="{y:.0f}" r="4" fill="{colour}">'
                f"<title>n = {one.n}</title></circle>"
                f'<text x="{_WIDTH - _RIGHT + 10}" y="{y + 4:.0f}">{one.value:.3f}</text>'
            )
            y += _ROW
        y += 6
    axis = f'<text x="{_LEFT}" y="{y + 8:.0f}">{low + pad:.3f}</text>'
    axis += f'<text x="{_WIDTH - _RIGHT}" y="{y + 8:.0f}" text-anchor="end">{high - pad:.3f}</text>'
    return f'<svg viewBox="0 0 {_WIDTH} {y + 14:.0f}" width="100%" role="img">{"".join(lines)}{axis}</svg>'


def _curve_plot(corruptions: Sequence[CorruptionResult]) -> str:
    """Error against the strength of every corruption."""
    width, height, left, bottom = 640, 280, 44, 250
    top = max(0.05, max(one.error for one in corruptions)) * 1.08

    def place(one: CorruptionResult) -> str:
        return f"{left + one.severity / 5 * 440:.1f},{bottom - one.error / top * 230:.1f}"

    lines = []
    for number, name in enumerate(dict.fromkeys(one.corruption for one in corruptions)):
        own = sorted((one for one in corruptions if one.corruption == name), key=lambda one: one.severity)
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(map(place, own))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(
            f'<text x="500" y="{30 + 20 * number}" style="fill:{colour}">{escape(name)}: {own[-1].error:.2f}</text>'
        )
    ticks = "".join(
        f'<text x="{left + severity / 5 * 440:.0f}" y="{bottom + 18}" text-anchor="middle">{severity}</text>'
        for severity in range(6)
    )
    ticks += f'<text x="{left - 6}" y="{bottom}" text-anchor="end">0</text>'
    ticks += f'<text x="{left - 6}" y="24" text-anchor="end">{top / 1.08:.2f}</text>'
    return f'<svg viewBox="0 0 {width} {height}" width="100%" role="img">{"".join(lines)}{ticks}</svg>'


def _pair_table(report: AuditReport) -> str:
    rows = "".join(
        f'<tr><td>{escape(one.name)}</td><td class="n">{one.value:+.3f}</td>'
        f'<td class="n">{one.low:+.3f} to {one.high:+.3f}</td><td class="n">{one.n}</td></tr>'
        for one in report.pairs
    )
    head = "<th>measure</th><th>mean</th><th>interval</th><th>pairs</th>"
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


_LEVELS: dict[JitterLevel, str] = {
    "crop": "The aligned crop that the network sees is changed: how exact the alignment must be.",
    "image": "The image is changed and aligned as always: what a user sees.",
}


def _jitter_tables(jitters: Sequence[JitterResult]) -> list[str]:
    """A table for each level."""
    tables = []
    for level, meaning in _LEVELS.items():
        own = [one for one in jitters if one.level == level]
        names = dict.fromkeys(change.name for one in own for change in one.changes)
        head = "".join(f"<th>{escape(name)}</th>" for name in ("change", *names))
        rows = []
        for one in own:
            values = {change.name: change for change in one.changes}
            cells = "".join(
                f'<td class="n">{values[name].value:.3f} <small>({values[name].low:.3f} to {values[name].high:.3f})'
                "</small></td>"
                for name in names
            )
            rows.append(f"<tr><td>{escape(one.jitter)}</td>{cells}</tr>")
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        tables.append(f'<p>{meaning}</p><div class="wide">{table}</div>')
    return tables


def _raw_table(results: Sequence[GroupResult]) -> str:
    names = ("measure", "column", "group", "n", "value", "low", "high", "gap", "gap_low", "gap_high", "p", "p_holm")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = []
    for one in results:
        cells = "".join(f"<td>{escape(getattr(one, name))}</td>" for name in names[:3])
        cells += "".join(f'<td class="n">{_number(getattr(one, name))}</td>' for name in names[3:])
        rows.append(f"<tr>{cells}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<details><summary>{len(results)} rows</summary><div class="wide">{table}</div></details>'


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}" if math.isfinite(value) else ""
